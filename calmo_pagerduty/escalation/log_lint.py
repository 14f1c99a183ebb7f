"""What log entries of past incidents prove: exhausted escalation paths, delegation back and forth. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from calmo_pagerduty.escalation.entities import MAX_ENTITIES, incident_entities, policy_entity
from calmo_pagerduty.escalation.simulation import candidates_at
from calmo_pagerduty.findings.model import Confidence, Evidence, Finding, FindingSeverity
from calmo_pagerduty.kernel.count_text import count_text
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
        title=f"{policy.name}: {count_text(len(incidents), 'incident')} reached the path's end unanswered",
        entities=(policy_entity(policy), *incident_entities(incidents)),
        evidence=(
            Evidence(
                f"The log of {count_text(len(incidents), 'incident')} says `exhaust_escalation_path`;"
                f" {never} still"
                f" open. The path has {count_text(len(policy.rules), 'level')}, repeats"
                f" {count_text(policy.num_loops, 'time')} and ends after {minutes} min.",
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


def policy_path(index: OnCallIndex, item: PastIncident) -> tuple[tuple[str | None, LogRecord | None], ...]:
    """Return the policies that an incident went through, each with the delegation that led there.

    PagerDuty's log entries name no policy. The last one is the incident's own; one in between is the only
    policy whose first level with somebody had these people on call then, else None: unknown.
    """
    moves = [record for record in item.records if record.kind is LogKind.DELEGATE]
    path: list[tuple[str | None, LogRecord | None]] = [(first_policy(index, item), None)]
    for record in moves:
        is_last = record is moves[-1]
        known = record.policy_id or (item.incident.policy_id if is_last else None)
        path.append((known or _policy_of_people(index, record), record))
    return tuple(path)


def _policy_of_people(index: OnCallIndex, record: LogRecord) -> str | None:
    """Return the only policy that would assign these people then; None if none or several would."""
    people = set(record.user_ids)
    found = []
    for policy in index.policies.values():
        for rule in policy.rules:
            candidates = candidates_at(index, rule, record.at)
            if candidates is None:
                return None
            if candidates:
                if any(people == set(group) for group in candidates):
                    found.append(policy.id)
                break
    return found[0] if len(found) == 1 else None


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
    returned: dict[str, list[tuple[Incident, LogRecord, str | None]]] = {}
    for item in past:
        path = policy_path(index, item)
        for (before, _), (between, _away), (after, back) in zip(path, path[1:], path[2:], strict=False):
            if before is not None and before == after and between != before and back is not None:
                returned.setdefault(before, []).append((item.incident, back, between))
    for policy_id, cases in sorted(returned.items()):
        if policy_id in index.policies:
            yield _back_and_forth(index, index.policies[policy_id], cases)


def _back_and_forth(
    index: OnCallIndex, policy: Policy, cases: list[tuple[Incident, LogRecord, str | None]]
) -> Finding:
    incidents = list({incident.id: incident for incident, _, _ in cases}.values())
    others = sorted({between for _, _, between in cases if between in index.policies and between})
    entities = tuple(policy_entity(index.policies[policy_id]) for policy_id in others)
    names = " and ".join(entity.name for entity in entities) or "another policy"
    return Finding(
        code="delegation_ping_pong",
        key=policy.id,
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.HIGH,
        title=f"{policy.name}: incidents are delegated to {names} and come back",
        entities=(policy_entity(policy), *entities, *incident_entities(incidents)),
        evidence=(
            Evidence(
                f"Delegated to another policy and back: {count_text(len(incidents), 'incident')}.",
                {
                    "log_entry_ids": _ids([record.id for _, record, _ in cases]),
                    "incident_ids": _ids([incident.id for incident in incidents]),
                    "count": len(incidents),
                },
            ),
        ),
        recommendation="Agree which team owns the services concerned, and point these at its policy.",
        expected_effect="These incidents reach the people who resolve them at once.",
        how_to_verify="New incidents of these services aren't delegated twice.",
        how_to_undo="Point the services at their former policies.",
    )


def _ids(ids: list[str]) -> list[str]:
    return sorted(ids)[:MAX_ENTITIES]
