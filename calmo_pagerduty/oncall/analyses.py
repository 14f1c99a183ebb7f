"""The on-call analyses: what each run carries out, in this order. Pure.

To add an analysis, write `analyse` in its feature and add a row here. A run carries out each by itself: if
one fails, the others still count.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from calmo_pagerduty.coverage import analysis as coverage, readiness_analysis as readiness
from calmo_pagerduty.dependencies import analysis as dependencies
from calmo_pagerduty.escalation import lint as escalation, response_analysis as response
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.patterns import analysis as patterns
from calmo_pagerduty.scheduling import analysis as scheduling
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.trends import analysis as trends
from calmo_pagerduty.workload import analysis as workload


class Analyse(Protocol):
    """Analyses a snapshot as of `now` (epoch seconds, UTC).

    It is pure: the same snapshot and the same `now` give a result that is equal to the byte. It does not
    raise for anything that PagerDuty may have sent; what is missing is None and is named in the result.
    """

    def __call__(self, snapshot: AccountSnapshot, now: int, /) -> AnalysisResult: ...


#: By the name that results and findings carry.
ANALYSES: Final[Mapping[str, Analyse]] = MappingProxyType(
    {
        coverage.ANALYSIS: coverage.analyse,
        readiness.ANALYSIS: readiness.analyse,
        escalation.ANALYSIS: escalation.analyse,
        response.ANALYSIS: response.analyse,
        workload.ANALYSIS: workload.analyse,
        scheduling.ANALYSIS: scheduling.analyse,
        trends.TRENDS: trends.analyse_trends,
        trends.CAPACITY: trends.analyse_capacity,
        dependencies.ANALYSIS: dependencies.analyse,
        patterns.ANALYSIS: patterns.analyse,
    }
)
