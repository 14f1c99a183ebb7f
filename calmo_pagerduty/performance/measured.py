"""Incidents with their measures: PagerDuty's own, else what the log says by the same definitions. Pure.

Source: PagerDuty's API reference, "Analytics" (raw incidents). Business hours are Monday to Friday 08-18,
sleep hours 22-08, off hours the rest, in the interrupted person's zone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.local_bands import Band, band_at
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.snapshots.incident_measures import IncidentMeasures
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    ContactKind,
    Incident,
    LogKind,
    LogRecord,
    SectionName,
    SectionState,
)

UTC_ZONE = ZoneInfo("Etc/UTC")
#: What reaches a person within so many seconds is one interruption.
ONE_INTERRUPTION_SECONDS = 60
_ENDS_SNOOZE = frozenset(
    {LogKind.UNACKNOWLEDGE, LogKind.RESOLVE, LogKind.ESCALATE, LogKind.ASSIGN, LogKind.DELEGATE}
)


@dataclass(frozen=True, slots=True)
class Measured:
    """An incident with its measures; None if neither the analytics nor the log tell them.

    `watched_until` (epoch seconds, UTC) is the resolution, or how far we know that it was not resolved.
    """

    incident: Incident
    measures: IncidentMeasures | None
    watched_until: int

    @property
    def watched_seconds(self) -> int:
        return max(0, self.watched_until - self.incident.created_at)

    @property
    def seconds_to_resolve(self) -> int | None:
        """From the creation to the latest resolution; None while it is open (PagerDuty's definition)."""
        if self.incident.resolved_at is None:
            return None
        said = None if self.measures is None else self.measures.seconds_to_resolve
        return self.watched_seconds if said is None else said


def measured_incidents(snapshot: AccountSnapshot, now: int) -> tuple[Measured, ...]:
    """Return every incident of the snapshot; `now` ends what is known of open ones."""
    until = min(now, snapshot.taken_at)
    zones = _zones(snapshot)
    log = _log_by_incident(snapshot)
    section = snapshot.section(SectionName.LOG_ENTRIES)
    knows_from = section.since if section.state is SectionState.COMPLETE else None
    measured = []
    for incident in snapshot.incidents:
        end = until if incident.resolved_at is None else incident.resolved_at
        measures = incident.measures
        if measures is None and knows_from is not None and incident.created_at >= knows_from:
            measures = measures_by_log(incident, log.get(incident.id, ()), end, zones)
        measured.append(Measured(incident, measures, end))
    return tuple(measured)


def measures_by_log(
    incident: Incident, records: Sequence[LogRecord], end: int, zones: dict[str, ZoneInfo]
) -> IncidentMeasures:
    """Return the measures that the log tells, in order of time. The log does not tell who joined: whether an
    incident is major is unknown, and only who acknowledged counts as engaged.
    """
    acks = [record for record in records if record.kind is LogKind.ACKNOWLEDGE]
    assigns = [
        record for record in records if record.kind in {LogKind.ASSIGN, LogKind.ESCALATE, LogKind.DELEGATE}
    ]
    escalations = [record for record in assigns if record.kind is LogKind.ESCALATE]
    engaged: dict[str, int] = {}
    for record in acks:
        if record.agent_id is not None:
            engaged.setdefault(record.agent_id, record.at)
    notified = [record for record in records if record.kind is LogKind.NOTIFY and record.user_ids]
    interruptions = _interruptions(notified, zones)
    first = acks[0].at - incident.created_at if acks else None
    return IncidentMeasures(
        seconds_to_first_ack=first,
        seconds_to_engage=first,
        seconds_to_mobilize=max(engaged.values()) - incident.created_at if len(engaged) > 1 else None,
        engaged_seconds=sum(max(0, end - at) for at in engaged.values()),
        engaged_users=len(engaged),
        snoozed_seconds=_snoozed(records, end),
        acknowledgements=len(acks),
        assignments=sum(len(record.user_ids) for record in assigns),
        reassignments=_reassignments(records),
        manual_escalations=sum(record.agent_id is not None for record in escalations),
        timeout_escalations=sum(record.agent_id is None for record in escalations),
        business_interruptions=interruptions[Band.BUSINESS],
        off_interruptions=interruptions[Band.OFF],
        sleep_interruptions=interruptions[Band.SLEEP],
        notifications=len(notified),
    )


def _interruptions(notified: Iterable[LogRecord], zones: dict[str, ZoneInfo]) -> Counter[Band]:
    """Count interruptions by band: no e-mail, and a minute from the first of a person's is one."""
    counts: Counter[Band] = Counter()
    latest: dict[str, int] = {}
    for record in notified:
        user_id = record.user_ids[0]
        if record.channel is ContactKind.EMAIL:
            continue
        if user_id in latest and record.at - latest[user_id] < ONE_INTERRUPTION_SECONDS:
            continue
        latest[user_id] = record.at
        counts[band_at(record.at, zones.get(user_id, zones[""]))] += 1
    return counts


def _reassignments(records: Iterable[LogRecord]) -> int:
    """Count assignments but for the first, and the first after a resolution, which a reopening makes."""
    count, is_assigned = 0, False
    for record in records:
        if record.kind is LogKind.RESOLVE:
            is_assigned = False
        elif record.kind is LogKind.ASSIGN:
            count += is_assigned
            is_assigned = True
    return count


def _snoozed(records: Iterable[LogRecord], end: int) -> int:
    total, since = 0, None
    for record in records:
        if record.kind is LogKind.SNOOZE and since is None:
            since = record.at
        elif record.kind in _ENDS_SNOOZE and since is not None:
            total, since = total + record.at - since, None
    return total if since is None else total + max(0, end - since)


def _log_by_incident(snapshot: AccountSnapshot) -> dict[str, list[LogRecord]]:
    found: dict[str, list[LogRecord]] = defaultdict(list)
    for record in snapshot.log_records:
        found[record.incident_id].append(record)
    return found


def _zones(snapshot: AccountSnapshot) -> dict[str, ZoneInfo]:
    """Return the zone of each person; that of everybody else under the empty id."""
    others = time_zone(snapshot.time_zone) or UTC_ZONE
    return {"": others, **{user.id: time_zone(user.time_zone) or others for user in snapshot.users}}
