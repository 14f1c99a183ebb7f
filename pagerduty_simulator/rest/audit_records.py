"""The audit records of schedules: the schedule writes add them, and clients read pages with a cursor."""

import base64
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from pagerduty_simulator import identifiers
from pagerduty_simulator.belongings import AuditRecord
from pagerduty_simulator.payloads import wire_milliseconds
from pagerduty_simulator.references import JsonObject, user_reference
from pagerduty_simulator.rest.answers import ERRORS, Answer, RestError, invalid
from pagerduty_simulator.rest.calls import Call, a_read, limit_of, lookup
from pagerduty_simulator.rest.objects import schedule_reference

_DEFAULT_SPAN: Final = timedelta(hours=24)
_MAX_SPAN: Final = timedelta(days=31)


def note_change(
    call: Call, schedule_id: str, action: str, fields: Iterable[tuple[str, str | None, str | None]]
) -> None:
    """Record that this call changed fields (name, new value, old value) of a schedule."""
    record = AuditRecord(
        identifiers.event_id(call.now, call.account.rng),
        call.now,
        call.user,
        action,
        schedule_id,
        tuple(fields),
        call.token.name,
    )
    call.account.belongings.audit_records.append(record)


def _list(call: Call, kind: str) -> Answer:
    schedule = lookup(call.account.belongings.schedules, call.parameters[0])
    if schedule.kind != kind:
        raise RestError(ERRORS["shift_based" if kind == "schedule" else "layer_based"])
    now = call.now + timedelta(seconds=1)
    until = call.moment("until") or now
    since, until = call.span(until - _DEFAULT_SPAN, now)
    if until - since > _MAX_SPAN:
        raise invalid("The time must not be longer than 31 days")
    mine = [
        record
        for record in reversed(call.account.belongings.audit_records)
        if record.schedule_id == schedule.id and since <= record.at < until
    ]
    limit = limit_of(call)
    first = _position(mine, call.parameter("cursor"))
    shown = mine[first : first + limit]
    more = first + limit < len(mine)
    cursor = base64.urlsafe_b64encode(shown[-1].id.encode()).decode() if more else None
    reference = schedule_reference(call.links, schedule.id, schedule.name, schedule.kind)
    records = [_object(call, record, reference) for record in shown]
    return Answer(200, {"records": records, "limit": limit, "next_cursor": cursor})


def _position(records: list[AuditRecord], cursor: str | None) -> int:
    """Return the page's first index: right after the record that the cursor names."""
    if not cursor:
        return 0
    try:
        last = base64.urlsafe_b64decode(cursor).decode()
    except ValueError:
        raise invalid("cursor is not valid") from None
    for index, record in enumerate(records):
        if record.id == last:
            return index + 1
    raise invalid("cursor is not valid")


def _object(call: Call, record: AuditRecord, reference: JsonObject) -> JsonObject:
    details: JsonObject = {"resource": reference}
    if record.fields:
        details["fields"] = [
            {"name": name, "value": value, "before_value": before} for name, value, before in record.fields
        ]
    return {
        "id": record.id,
        "self": None,
        "execution_time": wire_milliseconds(record.at),
        "execution_context": {"request_id": None, "remote_address": None},
        "actors": [user_reference(call.links, record.actor)] if record.actor else [],
        "method": {"type": "api_token", "truncated_token": None, "description": record.token_name},
        "root_resource": reference,
        "action": record.action,
        "details": details,
    }


_SCOPE: Final = "audit_records.read"

OPERATIONS: Final = (
    a_read(
        "listSchedulesAuditRecords",
        "/schedules/{}/audit/records",
        lambda call: _list(call, "schedule"),
        _SCOPE,
        ability="audit_trail",
    ),
    a_read(
        "listSchedulesAuditRecordsV3",
        "/v3/schedules/{}/audit/records",
        lambda call: _list(call, "schedule_v3"),
        _SCOPE,
        ability="audit_trail",
    ),
)
