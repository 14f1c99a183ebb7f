"""Which objects a reader asks about: a schedule, a policy or a service, with what belongs to it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from calmo_pagerduty.coverage.model import CoverageReport
from calmo_pagerduty.coverage.report import schedule_ids_of
from calmo_pagerduty.snapshots.on_call import OnCallIndex


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects a document is about; None for all of a kind. `of` follows references."""

    schedule_ids: frozenset[str] | None = None
    policy_ids: frozenset[str] | None = None
    service_ids: frozenset[str] | None = None

    @classmethod
    def of(
        cls, index: OnCallIndex, schedule: str | None, policy: str | None, service: str | None
    ) -> "Selection":
        """Return the selection of a schedule, a policy or a service with what belongs to it.

        Raises KeyError for an object that the snapshot doesn't have.
        """
        if service is not None:
            found = index.services[service]
            policies = {found.policy_id} & set(index.policies)
            return cls(_schedules(index, policies), frozenset(p for p in policies if p), frozenset({service}))
        if policy is not None:
            services = frozenset(s.id for s in index.snapshot.services if s.policy_id == policy)
            return cls(_schedules(index, {index.policies[policy].id}), frozenset({policy}), services)
        if schedule is not None:
            users = frozenset(
                p.id for p in index.snapshot.policies if index.schedules[schedule].id in schedule_ids_of(p)
            )
            services = frozenset(s.id for s in index.snapshot.services if s.policy_id in users)
            return cls(frozenset({schedule}), users, services)
        return cls()


def _schedules(index: OnCallIndex, policies: Iterable[str | None]) -> frozenset[str]:
    return frozenset(id for p in policies if p is not None for id in schedule_ids_of(index.policies[p]))


def restricted(report: CoverageReport, selection: Selection) -> CoverageReport:
    """Return the report with the selected schedules, policies and services only."""
    return replace(
        report,
        schedules=tuple(s for s in report.schedules if _has(selection.schedule_ids, s.schedule_id)),
        policies=tuple(p for p in report.policies if _has(selection.policy_ids, p.policy_id)),
        services=tuple(s for s in report.services if _has(selection.service_ids, s.service_id)),
    )


def _has(ids: frozenset[str] | None, id: str) -> bool:
    return ids is None or id in ids
