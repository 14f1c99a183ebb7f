"""Parse PagerDuty's JSON about incidents and their log, without their texts. Pure.

Source: PagerDuty's REST API, `POST /analytics/raw/incidents`, `GET /incidents`, `GET /log_entries`.
"""

from collections.abc import Mapping

from calmo_pagerduty.kernel.json_values import JsonObject, as_object, as_objects
from calmo_pagerduty.kernel.titles import fingerprint, mask_title
from calmo_pagerduty.snapshots.incident_measures import parse_measures
from calmo_pagerduty.snapshots.model import ContactKind, Incident, LogKind, LogRecord, Urgency
from calmo_pagerduty.snapshots.parsing import (
    is_id,
    parse_count,
    parse_flag,
    parse_id,
    parse_ids,
    parse_time,
    parse_urgency,
    parse_url,
)

_RESOLVED = "resolved"
_STATUSES = ("triggered", "acknowledged", _RESOLVED)
_KINDS: Mapping[str, LogKind] = {f"{kind}_log_entry": kind for kind in LogKind}
_CHANNELS: Mapping[str, ContactKind] = {
    "sms_notification": ContactKind.SMS,
    "email_notification": ContactKind.EMAIL,
    "phone_notification": ContactKind.PHONE,
    "push_notification": ContactKind.PUSH,
    "whatsapp_notification": ContactKind.WHATSAPP,
}
#: Channels of entries that PagerDuty made by itself.
_TIMEOUT_CHANNELS = ("timeout", "auto")


def parse_raw_incident(row: JsonObject) -> Incident | None:
    """Parse a row of the analytics. Its times have no offset: they must have been asked for in UTC."""
    incident_id, created_at = parse_id(row), parse_time(row.get("created_at"))
    service_id, policy_id = row.get("service_id"), row.get("escalation_policy_id")
    team_id = row.get("team_id")
    if incident_id is None or created_at is None or not isinstance(service_id, str) or not is_id(service_id):
        return None
    resolved_at = parse_time(row.get("resolved_at"))
    return Incident(
        id=incident_id,
        number=parse_count(row.get("incident_number")) or 0,
        html_url=None,
        service_id=service_id,
        policy_id=policy_id if isinstance(policy_id, str) and is_id(policy_id) else None,
        urgency=parse_urgency(row.get("urgency")) or Urgency.HIGH,
        created_at=created_at,
        resolved_at=resolved_at,
        status=_status(row.get("status"), resolved_at),
        team_ids=(team_id,) if isinstance(team_id, str) and is_id(team_id) else (),
        is_auto_resolved=parse_flag(row.get("auto_resolved")),
        measures=parse_measures(row),
        kind=_kind(service_id, row.get("description")),
    )


def parse_incident(item: JsonObject) -> Incident | None:
    """Parse an incident of the REST API."""
    incident_id, created_at = parse_id(item), parse_time(item.get("created_at"))
    service_id = parse_id(item.get("service"))
    if incident_id is None or created_at is None or service_id is None:
        return None
    is_resolved = item.get("status") == _RESOLVED
    changed_at = parse_time(item.get("last_status_change_at")) if is_resolved else None
    resolved_at = parse_time(item.get("resolved_at")) or changed_at
    return Incident(
        id=incident_id,
        number=parse_count(item.get("incident_number")) or 0,
        html_url=parse_url(item),
        service_id=service_id,
        policy_id=parse_id(item.get("escalation_policy")),
        urgency=parse_urgency(item.get("urgency")) or Urgency.HIGH,
        created_at=created_at,
        resolved_at=resolved_at if is_resolved else None,
        status=_status(item.get("status"), resolved_at),
        team_ids=parse_ids(item.get("teams")),
        is_auto_resolved=_is_auto_resolved(item) if is_resolved else None,
        kind=_kind(service_id, item.get("title")),
    )


def _kind(service_id: str, title: object) -> str | None:
    masked = mask_title(title) if isinstance(title, str) else ""
    return fingerprint(service_id, None, masked) if masked else None


def _status(value: object, resolved_at: int | None) -> str:
    if isinstance(value, str) and value in _STATUSES:
        return value
    return "triggered" if resolved_at is None else _RESOLVED


def _is_auto_resolved(item: JsonObject) -> bool | None:
    """A person resolves by hand; a service, or nobody, is PagerDuty's or the monitoring's own doing."""
    changed_by = as_object(item.get("last_status_change_by")).get("type")
    return None if not isinstance(changed_by, str) else not changed_by.startswith("user")


def parse_log_record(item: JsonObject) -> LogRecord | None:
    """Parse a log entry; None if its kind is of no use to analyses."""
    kind = _KINDS.get(str(item.get("type")))
    if kind is None:
        return None
    record_id, at = parse_id(item), parse_time(item.get("created_at"))
    incident_id = parse_id(item.get("incident"))
    if record_id is None or at is None or incident_id is None:
        return None
    channel, agent = as_object(item.get("channel")), as_object(item.get("agent"))
    is_person = str(agent.get("type")).startswith("user")
    return LogRecord(
        id=record_id,
        incident_id=incident_id,
        at=at,
        kind=kind,
        user_ids=_people(item, channel),
        agent_id=parse_id(agent) if is_person else None,
        channel=_contact_kind(channel) if kind is LogKind.NOTIFY else None,
        policy_id=parse_id(item.get("escalation_policy")),
        by_timeout=(
            not is_person and channel.get("type") in _TIMEOUT_CHANNELS if kind is LogKind.ESCALATE else None
        ),
    )


def _people(item: JsonObject, channel: JsonObject) -> tuple[str, ...]:
    """Return whom the entry concerns: those assigned, or the person notified."""
    if assignees := parse_ids(as_objects(item.get("assignees"))):
        return assignees
    notified = item.get("user") or as_object(channel.get("notification")).get("user")
    user_id = parse_id(notified)
    return () if user_id is None else (user_id,)


def _contact_kind(channel: JsonObject) -> ContactKind | None:
    return _CHANNELS.get(str(as_object(channel.get("notification")).get("type")))
