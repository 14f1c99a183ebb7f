"""Planted changes some hops upstream, held against an oracle that knows by which law each was drawn.

Every run looks at few worlds of two kinds. `make torture` looks at all kinds, on seeds that it draws.
"""

import math
import random

import pytest

from tests.support.cause_worlds import KINDS, Row, row_of

#: Kinds in which the account's past tells nothing of where the cause lies, and so much changes upstream that
#: whoever looks at all distances finds less than who knows every rate and every lead.
_OUT_OF_REACH = {
    "two hops, twice the changes": 0.5,
    "two hops, five times the changes": 0.25,
    "two hops, five times the changes, rolled back": 0.65,
}
SHARE_OF_THE_ORACLE = 0.8
WORLDS = 60


def _at_least(share: float, of: int) -> float:
    """Return a count three standard errors below a share: less isn't chance."""
    return share * of - 3 * math.sqrt(share * (1 - share) * of)


def _judge(row: Row) -> None:
    share = _OUT_OF_REACH.get(row.kind, SHARE_OF_THE_ORACLE)
    assert row.ours >= _at_least(share, row.oracle), row
    assert row.clean >= _at_least(0.95, row.worlds), row


@pytest.mark.parametrize("name", ["one hop", "three hops"])
def test_a_change_upstream_is_found_nearly_as_often_as_by_who_knows_all_rates(name: str) -> None:
    _judge(row_of(name, range(900_000, 900_008)))


@pytest.mark.torture
@pytest.mark.parametrize("name", KINDS)
def test_on_seeds_drawn_now_too(name: str) -> None:
    first = random.SystemRandom().randrange(10**9)
    _judge(row_of(name, range(first, first + WORLDS)))


@pytest.mark.torture
def test_where_the_service_upstream_changes_every_ten_minutes_hardly_anything_is_claimed() -> None:
    first = random.SystemRandom().randrange(10**9)
    row = row_of("one hop, a change every ten minutes", range(first, first + WORLDS))
    assert row.silent >= _at_least(0.9, row.worlds), (first, row)
