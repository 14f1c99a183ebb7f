"""Misrouting: services whose incidents people hand to another team's policy again and again. Pure.

A handover is a person's delegation to an escalation policy, in the log; a policy that the service had before
is none. Source of the bound: `estimators.wilson_interval`.
"""

from dataclasses import dataclass

from calmo_pagerduty.patterns.past import Past, PastIncident, by_service, grouped
from calmo_pagerduty.snapshots.model import LogKind, Policy, Service
from calmo_pagerduty.statistics.estimators import Interval, wilson_interval

#: Even the lower bound of the share that is handed on must reach this.
MIN_HANDED_SHARE = 0.3
MIN_INCIDENTS = 5


@dataclass(frozen=True, slots=True)
class Misrouting:
    """`handed` of the service's `of` incidents went to the policy; `pages` came before that."""

    service: Service
    policy: Policy
    handed: tuple[PastIncident, ...]
    of: int
    interval: Interval
    pages: int
    median_seconds: int


def misroutings(past: Past) -> tuple[Misrouting, ...]:
    """Return the services to point elsewhere, those with the most pages before the handover first."""
    policies = {policy.id: policy for policy in past.snapshot.policies}
    found = []
    items = by_service(past)
    for service in past.snapshot.services:
        own = items.get(service.id, ())
        moved = [item for item in own if item.incident.policy_id != service.policy_id]
        for policy_id, handed in grouped(moved, _handed_to).items():
            interval = wilson_interval(len(handed), len(own))
            if policy_id not in policies or interval is None or len(own) < MIN_INCIDENTS:
                continue
            if interval.low < MIN_HANDED_SHARE:
                continue
            waits = sorted(handed_at(item) - item.at for item in handed)
            pages = sum(at < handed_at(item) for item in handed for at in item.pages)
            found.append(
                Misrouting(
                    service,
                    policies[policy_id],
                    handed,
                    len(own),
                    interval,
                    pages,
                    waits[(len(waits) - 1) // 2],
                )
            )
    return tuple(sorted(found, key=lambda item: (-item.pages, -len(item.handed), item.service.id)))


def handed_at(item: PastIncident) -> int:
    """Return when the incident was delegated last; its beginning if it never was."""
    times = [record.at for record in item.log if record.kind is LogKind.DELEGATE]
    return times[-1] if times else item.at


def _handed_to(item: PastIncident) -> str | None:
    """Return the policy that people delegated the incident to."""
    delegated = any(record.kind is LogKind.DELEGATE and record.agent_id is not None for record in item.log)
    return item.incident.policy_id if delegated else None
