"""How evenly a burden is shared: indices, and the order that decides which of two shares is fairer.

Every function takes non-negative amounts, in any order and unit. Indices are for readers; decisions use
`leximax_key`, because different shares may have the same index.
"""

import math
from collections.abc import Sequence


def gini(amounts: Sequence[float]) -> float | None:
    """Return the Gini coefficient: 0 if all bear the same, near 1 if a single person bears everything.

    None if there is nobody, or nothing to bear.
    Source: G = Σᵢ Σⱼ |xᵢ - xⱼ| / (2 n Σx), here by ranks: Σᵢ (2i - n - 1) x₍ᵢ₎ / (n Σx).
    """
    total, n = math.fsum(amounts), len(amounts)
    if total <= 0:
        return None
    ranked = enumerate(sorted(amounts), 1)
    return math.fsum((2 * rank - n - 1) * amount for rank, amount in ranked) / (n * total)


def jain(amounts: Sequence[float]) -> float | None:
    """Return Jain's index: 1 if all bear the same, 1/n if a single person of n bears everything.

    None if there is nobody, or nothing to bear.
    Source: R. Jain, D. Chiu, W. Hawe, DEC-TR-301 (1984): (Σx)² / (n Σx²).
    """
    squares = math.fsum(amount * amount for amount in amounts)
    if squares <= 0:
        return None
    return math.fsum(amounts) ** 2 / (len(amounts) * squares)


def unfairness(amounts: Sequence[float]) -> float:
    """Return the Euclidean distance from an even share, √Σ(x - mean)², in the amounts' unit.

    Source: Timefold's documentation of load balancing.
    """
    if not amounts:
        return 0.0
    mean = math.fsum(amounts) / len(amounts)
    return math.sqrt(math.fsum((amount - mean) ** 2 for amount in amounts))


def leximax_key(amounts: Sequence[float]) -> tuple[float, ...]:
    """Return the amounts, largest first. Of two shares of a burden, the one with the smaller key is fairer:
    its most loaded person bears less; if they bear the same, its second most loaded person, and so on.
    """
    return tuple(sorted(amounts, reverse=True))
