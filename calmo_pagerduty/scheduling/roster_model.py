"""A mixed-integer linear model of who has which shift, and its solution by HiGHS. Pure, but slow.

Source: scipy.optimize.milp (HiGHS).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from calmo_pagerduty.scheduling.roster import Assignment, Stop

INFINITY = float("inf")
Terms = list[tuple[int, float]]


@dataclass(slots=True)
class Model:
    """Columns with cost and bounds, and rows lower <= terms <= upper."""

    cost: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    is_whole: list[int] = field(default_factory=list)
    rows: list[tuple[Terms, float, float]] = field(default_factory=list)
    constant: float = 0.0
    #: (person id, shift id) → column.
    has: dict[tuple[str, str], int] = field(default_factory=dict)

    def column(self, cost: float = 0.0, upper: float = 1.0, *, is_whole: bool = True) -> int:
        self.cost.append(cost)
        self.upper.append(upper)
        self.is_whole.append(int(is_whole))
        return len(self.cost) - 1

    def row(self, terms: Iterable[tuple[int, float]], lower: float, upper: float) -> None:
        self.rows.append((list(terms), lower, upper))


@dataclass(frozen=True, slots=True)
class Solution:
    """A solution as a roster. `assignment` is None without one, `bound` if nothing is known of it."""

    stop: Stop
    assignment: Assignment | None
    bound: float | None
    #: The value of each column; empty without a solution.
    values: tuple[float, ...] = ()


def run(model: Model, node_limit: int, time_limit: float) -> Solution:
    """Return the best solution within the limits, and a bound that none is below."""
    import numpy as np  # noqa: PLC0415 (a command starts without it)
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415 (a command starts without it)
    from scipy.sparse import csr_array  # noqa: PLC0415 (a command starts without it)

    if not model.cost:
        fits = all(lower <= 0 <= upper for _, lower, upper in model.rows)
        return Solution(Stop.OPTIMAL if fits else Stop.INFEASIBLE, {} if fits else None, model.constant)
    values = [value for terms, _, _ in model.rows for _, value in terms]
    columns = [column for terms, _, _ in model.rows for column, _ in terms]
    offsets = np.cumsum([0, *(len(terms) for terms, _, _ in model.rows)])
    matrix = csr_array((values, columns, offsets), shape=(len(model.rows), len(model.cost)))
    lower, upper = ([row[side] for row in model.rows] for side in (1, 2))
    result: Any = milp(
        np.array(model.cost),
        integrality=np.array(model.is_whole),
        bounds=Bounds(0, np.array(model.upper)),
        constraints=LinearConstraint(matrix, lower, upper) if model.rows else (),
        options={"node_limit": node_limit, "time_limit": time_limit, "mip_rel_gap": 0.0},
    )
    stop = {0: Stop.OPTIMAL, 2: Stop.INFEASIBLE}.get(int(result.status), Stop.LIMIT)
    bound = getattr(result, "mip_dual_bound", None)
    bound = None if bound is None or not math.isfinite(bound) else round(float(bound) + model.constant, 6)
    if result.x is None:
        return Solution(stop, None, bound)
    chosen: dict[str, set[str]] = {}
    for (person_id, shift_id), column in model.has.items():
        if result.x[column] > 0.5:
            chosen.setdefault(shift_id, set()).add(person_id)
    return Solution(
        stop,
        {shift_id: frozenset(people) for shift_id, people in sorted(chosen.items())},
        bound,
        tuple(float(value) for value in result.x),
    )
