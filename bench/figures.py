"""Figures with their targets, percentiles and quartiles."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, with an optional target."""

    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    #: First quartile, median, third quartile, if the value is a median of several.
    quartiles: tuple[float, float, float] | None = None

    @property
    def is_met(self) -> bool:
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )

    def as_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"value": rounded(self.value), "unit": self.unit}
        if self.quartiles is not None:
            document["quartiles"] = [rounded(quartile) for quartile in self.quartiles]
        if self.at_most is not None:
            document |= {"target": f"<= {self.at_most:g}", "holds": self.is_met}
        if self.at_least is not None:
            document |= {"target": f">= {self.at_least:g}", "holds": self.is_met}
        return document


Figures = dict[str, Figure]


def median_of(
    values: Sequence[float], unit: str, at_most: float | None = None, at_least: float | None = None
) -> Figure:
    """Return the median with its quartiles."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Figure(middle, unit, at_most, at_least, (low, middle, high))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile: the smallest value that `percent` of all don't exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]


def rounded(value: float) -> float:
    return float(f"{value:.4g}") if value else 0.0
