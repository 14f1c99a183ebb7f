"""The assignments of past incidents, from their log records: who had them, on which level, and how it ended.

Pure; times are epoch seconds (UTC).

Source: PagerDuty's log entries. A trigger is followed by an assignment; `escalate` moves on to the next
level with somebody; `repeat_escalation_path` goes back to the first; a later `assign` or `delegate` is a
reassignment by a person.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from calmo_pagerduty.escalation.log_lint import PastIncident, first_policy, policy_path
from calmo_pagerduty.escalation.simulation import candidates_at
from calmo_pagerduty.snapshots.model import ContactKind, LogKind, LogRecord, Policy
from calmo_pagerduty.snapshots.on_call import OnCallIndex

#: A record of the same assignment may come this much later: log entries have whole seconds.
SAME_MOMENT = 2


class EpisodeEnd(StrEnum):
    """How an assignment ended. Only ACKNOWLEDGED is the event; all others censor it."""

    ACKNOWLEDGED = "acknowledged"
    ESCALATED = "escalated"
    REASSIGNED = "reassigned"
    #: Resolved without an acknowledgement.
    RESOLVED = "resolved"
    #: It was still waiting when the snapshot was taken.
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Episode:
    """An assignment before the first acknowledgement. `level` is None away from the policy's path."""

    incident_id: str
    policy_id: str | None
    level: int | None
    start: int
    end: int
    user_ids: tuple[str, ...]
    how: EpisodeEnd

    @property
    def minutes(self) -> float:
        return (self.end - self.start) / 60


@dataclass(frozen=True, slots=True)
class Notification:
    at: int
    user_ids: tuple[str, ...]
    channel: ContactKind | None


@dataclass(frozen=True, slots=True)
class Response:
    """An incident up to its first acknowledgement, or to its end without one.

    `acknowledged_by` is None if nobody did, or if an integration did.
    """

    incident_id: str
    service_id: str
    created_at: int
    episodes: tuple[Episode, ...]
    notifications: tuple[Notification, ...]
    acknowledged_at: int | None
    acknowledged_by: str | None


_ASSIGNS = {LogKind.ASSIGN, LogKind.ESCALATE, LogKind.DELEGATE, LogKind.REPEAT_ESCALATION_PATH}
_ENDS = {LogKind.ACKNOWLEDGE, LogKind.RESOLVE}


def response_of(index: OnCallIndex, item: PastIncident, until: int) -> Response | None:
    """Return how an incident was answered; None if the log doesn't show that anybody was assigned.

    Records before the incident's creation or after `until` are ignored.
    """
    incident = item.incident
    records = [record for record in item.records if incident.created_at <= record.at <= until]
    reader = _Reader(index, item)
    acknowledged: LogRecord | None = None
    for record in records:
        if record.kind in _ASSIGNS:
            reader.assign(record)
        elif record.kind in _ENDS:
            how = EpisodeEnd.ACKNOWLEDGED if record.kind is LogKind.ACKNOWLEDGE else EpisodeEnd.RESOLVED
            acknowledged = record if record.kind is LogKind.ACKNOWLEDGE else None
            reader.close(record.at, how)
            break
    else:
        end = until if incident.resolved_at is None else min(until, incident.resolved_at)
        reader.close(end, EpisodeEnd.OPEN if incident.resolved_at is None else EpisodeEnd.RESOLVED)
    if not reader.episodes:
        return None
    last = reader.episodes[-1].end
    return Response(
        incident.id,
        incident.service_id,
        incident.created_at,
        tuple(reader.episodes),
        tuple(
            Notification(record.at, record.user_ids, record.channel)
            for record in records
            if record.kind is LogKind.NOTIFY and record.at <= last
        ),
        None if acknowledged is None else acknowledged.at,
        None if acknowledged is None else acknowledged.agent_id,
    )


class _Reader:
    """Builds the episodes of one incident from its records."""

    def __init__(self, index: OnCallIndex, item: PastIncident) -> None:
        self._index = index
        self._item = item
        self._open: Episode | None = None
        self._policy_id = _first_policy(index, item)
        self._delegated_to = {
            record.id: policy_id for policy_id, record in policy_path(index, item) if record is not None
        }
        self.episodes: list[Episode] = []

    def assign(self, record: LogRecord) -> None:
        before = self._open
        if before is not None and self._is_same(before, record):
            self._open = replace(before, user_ids=record.user_ids or before.user_ids)
            return
        escalates = record.kind in {LogKind.ESCALATE, LogKind.REPEAT_ESCALATION_PATH}
        self.close(record.at, EpisodeEnd.ESCALATED if escalates else EpisodeEnd.REASSIGNED)
        if record.kind is LogKind.DELEGATE:
            self._policy_id = self._delegated_to.get(record.id)
        level = self._level(record, before)
        self._open = Episode(
            self._item.incident.id, self._policy_id, level, record.at, record.at, record.user_ids,
            EpisodeEnd.OPEN,
        )  # fmt: skip

    def close(self, at: int, how: EpisodeEnd) -> None:
        if self._open is not None:
            self.episodes.append(replace(self._open, end=at, how=how))
            self._open = None

    def _is_same(self, before: Episode, record: LogRecord) -> bool:
        """Return whether a record repeats the open assignment, such as `assign` beside `escalate`."""
        at_once = record.at - before.start <= SAME_MOMENT
        return at_once and record.kind in {LogKind.ASSIGN, LogKind.ESCALATE}

    def _level(self, record: LogRecord, before: Episode | None) -> int | None:
        if record.kind is LogKind.ASSIGN and before is not None:
            return None  # a person chose other people: that is no level of the path
        if record.kind is LogKind.ESCALATE and before is not None:
            if before.level is None:
                return None
            expected = before.level + 1
        else:
            expected = 1
        policy = self._index.policies.get(self._policy_id or "")
        if policy is None:
            return expected
        if expected > len(policy.rules):
            expected = 1
        return self._staffed_level(policy, record, expected)

    def _staffed_level(self, policy: Policy, record: LogRecord, expected: int) -> int:
        """Return the first level from `expected` on that holds the assigned people."""
        people = set(record.user_ids)
        for number in range(expected, len(policy.rules) + 1):
            candidates = candidates_at(self._index, policy.rules[number - 1], record.at)
            if candidates is None:
                return expected
            if people and people <= {user_id for group in candidates for user_id in group}:
                return number
        return expected


def _first_policy(index: OnCallIndex, item: PastIncident) -> str | None:
    """Return the policy that an incident began with. The incident itself names its present one."""
    was_delegated = any(record.kind is LogKind.DELEGATE for record in item.records)
    present = None if was_delegated else item.incident.policy_id
    return present or first_policy(index, item)
