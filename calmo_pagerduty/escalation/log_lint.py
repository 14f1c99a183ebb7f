"""What log entries of past incidents prove: exhausted escalation paths, delegation back and forth. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from calmo_pagerduty.escalation.entities import MAX_ENTITIES, incident_entities, policy_entity
from calmo_pagerduty.findings.model import Confidence, Entity, Evidence, Finding, FindingSeverity
from calmo_pagerduty.snapshots.model import AccountSnapshot, Incident, LogKind, LogRecord, Policy
from calmo_pagerduty.snapshots.on_call import OnCallIndex

#: A path that lasts no longer than this, all passes together, is short.
SHORT_PATH_MINUTES = 60
#: A service or policy that a record doesn't name.
UNNAMED = ""


@dataclass(frozen=True, slots=True)
class PastIncident:
    """An incident of the snapshot with its log records, in order of time."""

    incident: Incident
    records: tuple[LogRecord, ...]


def past_incidents(snapshot: AccountSnapshot, until: int) -> tuple[PastIncident, ...]:
    """Return the incidents that have log records up to a moment, in order of their ids."""
    records: dict[str, list[LogRecord]] = {}
    for record in snapshot.log_records:
        if record.at <= until:
            records.setdefault(record.incident_id, []).append(record)
    return tuple(
        PastIncident(incident, tuple(sorted(records[incident.id], key=lambda record: (record.at, record.id))))
        for incident in sorted(snapshot.incidents, key=lambda incident: incident.id)
        if incident.id in records
    )


def lint_log(index: OnCallIndex, past: tuple[PastIncident, ...]) -> Iterator[Finding]:
    yield from _dead_ends(index, past)
    yield from _ping_pong(index, past)


def _dead_ends(index: OnCallIndex, past: tuple[PastIncident, ...]) -> Iterator[Finding]:
    exhausted: dict[str, list[tuple[Incident, LogRecord]]] = {}
    for item in past:
        for record in item.records:
            if record.kind is LogKind.EXHAUST_ESCALATION_PATH:
                policy_id = record.policy_id or item.incident.policy_id or UNNAMED
                exhausted.setdefault(policy_id, []).append((item.incident, record))
    for policy_id, cases in sorted(exhausted.items()):
        if policy_id in index.policies:
            yield _dead_end(index.policies[policy_id], cases)


def _dead_end(policy: Policy, cases: list[tuple[Incident, LogRecord]]) -> Finding:
    incidents = list({incident.id: incident for incident, _ in cases}.values())
    minutes = path_minutes(policy)
    never = sum(1 for incident in incidents if incident.resolved_at is None)
    is_short = policy.num_loops == 0 and minutes <= SHORT_PATH_MINUTES
    advice = (
        "Let the path repeat (`num_loops`), or add a last level that always answers."
        if is_short
        else "Add a last level that always answers, such as a manager or a second team."
    )
    return Finding(
        code="escalation_path_exhausted",
        key=policy.id,
        severity=FindingSeverity.HIGH,
        confidence=Confidence.HIGH,
        title=f"{policy.name}: {len(incidents)} incidents reached the end of the path unanswered",
        entities=(policy_entity(policy), *incident_entities(incidents)),
        evidence=(
            Evidence(
                f"{len(cases)} log entries `exhaust_escalation_path` of {len(incidents)} incidents; the"
                " path has"
                f" {len(policy.rules)} levels, repeats {policy.num_loops} times and ends after {minutes} min."
                f" {never} of the incidents are still open.",
                {
                    "log_entry_ids": _ids([record.id for _, record in cases]),
                    "incident_ids": _ids([incident.id for incident in incidents]),
                    "count": len(incidents),
                    "num_loops": policy.num_loops,
                    "path_minutes": minutes,
                },
            ),
        ),
        recommendation=advice,
        expected_effect="An incident that nobody answers at first is paged again, or reaches somebody else.",
        how_to_verify="No new log entry `exhaust_escalation_path` appears for this policy.",
        how_to_undo="Set the policy's former levels and `num_loops` again.",
    )


def path_minutes(policy: Policy) -> int:
    """Return after how many minutes the whole path is exhausted, if every level has somebody."""
    return sum(rule.delay_minutes for rule in policy.rules) * (policy.num_loops + 1)


def delegations(item: PastIncident) -> tuple[tuple[str, LogRecord], ...]:
    """Return the policies that an incident was delegated to, in turn, each with its record."""
    return tuple(
        (record.policy_id, record)
        for record in item.records
        if record.kind is LogKind.DELEGATE and record.policy_id is not None
    )


def first_policy(index: OnCallIndex, item: PastIncident) -> str | None:
    """Return the policy that an incident began with: that of an early record, else its service's."""
    for record in item.records:
        if record.kind is LogKind.DELEGATE:
            break
        if record.policy_id is not None:
            return record.policy_id
    service = index.services.get(item.incident.service_id)
    return None if service is None else service.policy_id


def _ping_pong(index: OnCallIndex, past: tuple[PastIncident, ...]) -> Iterator[Finding]:
    pairs: dict[tuple[str, str], list[tuple[Incident, LogRecord]]] = {}
    for item in past:
        path = [(first_policy(index, item), None), *delegations(item)]
        for (before, _), (between, _record), (after, record) in zip(path, path[1:], path[2:], strict=False):
            if before is not None and before == after and between is not None and between != before:
                pair = (min(before, between), max(before, between))
                assert record is not None
                pairs.setdefault(pair, []).append((item.incident, record))
    for (left, right), cases in sorted(pairs.items()):
        yield _back_and_forth(index, left, right, cases)


def _back_and_forth(
    index: OnCallIndex, left: str, right: str, cases: list[tuple[Incident, LogRecord]]
) -> Finding:
    incidents = list({incident.id: incident for incident, _ in cases}.values())
    policies = tuple(
        policy_entity(index.policies[policy_id])
        if policy_id in index.policies
        else Entity("policy", policy_id, policy_id)
        for policy_id in (left, right)
    )
    names = " and ".join(entity.name for entity in policies)
    return Finding(
        code="delegation_ping_pong",
        key=f"{left}:{right}",
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.HIGH,
        title=f"Incidents are delegated back and forth between {names}",
        entities=(*policies, *incident_entities(incidents)),
        evidence=(
            Evidence(
                f"{len(incidents)} incidents were delegated to the other policy and back.",
                {
                    "log_entry_ids": _ids([record.id for _, record in cases]),
                    "incident_ids": _ids([incident.id for incident in incidents]),
                    "count": len(incidents),
                },
            ),
        ),
        recommendation="Agree which of the two teams owns the services concerned, and point these at its"
        " policy.",
        expected_effect="These incidents reach the people who resolve them at once.",
        how_to_verify="New incidents of these services aren't delegated twice.",
        how_to_undo="Point the services at their former policies.",
    )


def _ids(ids: list[str]) -> list[str]:
    return sorted(ids)[:MAX_ENTITIES]
