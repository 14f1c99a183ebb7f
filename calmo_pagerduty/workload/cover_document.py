"""Suggestions and requests for cover as JSON documents. Loads are shown to whom may see the person. Pure."""

from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.workload.cover import Candidate, CoverSuggestion
from calmo_pagerduty.workload.cover_requests import CoverRequest
from calmo_pagerduty.workload.document import iso
from calmo_pagerduty.workload.people import Person
from calmo_pagerduty.workload.report import MaySee


def suggestion_document(suggestion: CoverSuggestion, may_see: MaySee) -> JsonObject:
    """Return whom to ask, best first; and a split if nobody can cover all of it."""
    names = {item.person.user_id: item.person for item in suggestion.candidates}
    return {
        "schedule": {"id": suggestion.schedule.id, "name": sanitize_text(suggestion.schedule.name, 120)},
        "person": _person(suggestion.person),
        "spans": [_span(span) for span in suggestion.spans],
        "candidates": [_candidate(item, may_see) for item in suggestion.candidates],
        "excluded": [{**_person(item.person), "reason": item.reason} for item in suggestion.excluded],
        "split": [{**_person(names[part.user_id]), **_span(part.span)} for part in suggestion.split],
        "uncovered": [_span(span) for span in suggestion.uncovered],
        "swaps": [{**_person(names[swap.user_id]), **_span(swap.returned)} for swap in suggestion.swaps],
    }


def request_document(request: CoverRequest, snapshot: AccountSnapshot | None, may_see: MaySee) -> JsonObject:
    """Return a request. Evidence of a rough night is shown to whom may see the person."""
    names = {} if snapshot is None else {user.id: user.name for user in snapshot.users}
    is_seen = may_see(request.user_id)

    def named(user_id: str) -> JsonObject:
        return {"id": user_id, "name": sanitize_text(names.get(user_id, user_id), 120)}

    return {
        "id": request.id,
        "connection_id": request.connection_id,
        "schedule_id": request.schedule_id,
        "person": named(request.user_id),
        "reason": str(request.reason),
        "evidence": dict(request.evidence) if is_seen else {},
        "state": str(request.state),
        "starts_at": format_iso_utc(request.starts_at),
        "ends_at": format_iso_utc(request.ends_at),
        "asked": [named(user_id) for user_id in request.asked],
        "candidates": len(request.candidates),
        "declined": len(request.declined),
        "created_at": format_iso_utc(request.created_at),
        "expires_at": format_iso_utc(request.expires_at),
        "covering": None if request.covering_user_id is None else named(request.covering_user_id),
        "decided_by": request.decided_by,
        "call_id": request.call_id,
    }


def _candidate(item: Candidate, may_see: MaySee) -> JsonObject:
    is_seen = may_see(item.person.user_id)
    return {
        **_person(item.person),
        "covers_all": item.covers_all,
        "free": [_span(span) for span in item.free],
        "time_zone": item.person.zone.key,
        "sleep_hours": round(item.sleep_hours, 2),
        "load_hours": round(item.load_hours, 2) if is_seen else None,
        "debt_hours": round(item.debt_hours, 2) if is_seen else None,
    }


def _person(person: Person) -> JsonObject:
    return {"id": person.user_id, "name": sanitize_text(person.name, 120)}


def _span(span: Span) -> JsonObject:
    return {"since": iso(span.start), "until": iso(span.end)}
