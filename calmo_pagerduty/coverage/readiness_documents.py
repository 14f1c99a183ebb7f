"""Readiness, and who is on call now and next, as JSON documents with names and local times. Pure."""

from collections import Counter
from collections.abc import Collection
from zoneinfo import ZoneInfo

from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.coverage.documents import iso
from calmo_pagerduty.coverage.now_next import OnCall, now_and_next
from calmo_pagerduty.coverage.page_checklist import checklists
from calmo_pagerduty.coverage.readiness import (
    ADVICE,
    LIGHTS,
    READINESS_DAYS,
    Duty,
    PersonReadiness,
    PersonState,
    readiness,
)
from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.plots.time_axis import moment_text
from calmo_pagerduty.snapshots.model import AccountSnapshot, SectionName, SectionState
from calmo_pagerduty.snapshots.on_call import OnCallIndex

#: Said beside the grid: no state of it promises more.
UNVERIFIED = "PagerDuty says whether a contact method is enabled or blocked, not whether it was verified"
_SECTIONS = (SectionName.USERS, SectionName.SCHEDULES, SectionName.POLICIES)


def readiness_document(
    snapshot: AccountSnapshot, now: int, persons: PersonVisibility, days: int = READINESS_DAYS
) -> JsonObject:
    """Return everybody whom the reader may see, and counts of all people by state."""
    people = readiness(snapshot, now, days)
    index = OnCallIndex(snapshot)
    visible = [person for person in people if persons.admits([person.user_id])]
    counts = Counter(person.state for person in people)
    return {
        "snapshot_id": snapshot.id,
        "snapshot_taken_at": iso(snapshot.taken_at),
        "now": iso(now),
        "limits": section_limits(snapshot, _SECTIONS),
        "verification": UNVERIFIED,
        "counts": {state.value: counts[state] for state in PersonState},
        "people": [_person(index, person) for person in visible],
        "hidden_people": len(people) - len(visible),
    }


def now_next_document(
    snapshot: AccountSnapshot, now: int, zone: ZoneInfo, service_ids: Collection[str] | None = None
) -> JsonObject:
    """Return who is on call for each service, now and next, in the reader's and each person's zone."""
    index = OnCallIndex(snapshot)
    lists = {checklist.service_id: checklist for checklist in checklists(snapshot, now)}
    services: list[JsonObject] = []
    for state in now_and_next(snapshot, now):
        if service_ids is not None and state.service_id not in service_ids:
            continue
        service = index.services[state.service_id]
        policy = index.policies.get(state.policy_id or "")
        checklist = lists[service.id]
        services.append(
            {
                "service": {"id": service.id, "name": service.name, "html_url": service.html_url},
                "policy": None if policy is None else {"id": policy.id, "name": policy.name},
                "now": _on_call(index, state.now, now, zone),
                "next": _on_call(index, state.next, now, zone),
                "a_page_would_come": checklist.would_page,
                "checklist": [
                    {
                        "check": check.check.value,
                        "verdict": check.verdict.value,
                        "text": check.text,
                        "until": None if check.until is None else iso(check.until),
                    }
                    for check in checklist.checks
                ],
            }
        )
    return {
        "snapshot_id": snapshot.id,
        "snapshot_taken_at": iso(snapshot.taken_at),
        "now": iso(now),
        "time_zone": zone.key,
        "limits": section_limits(snapshot, (*_SECTIONS, SectionName.SERVICES, SectionName.MAINTENANCE)),
        "services": services,
    }


def section_limits(snapshot: AccountSnapshot, names: Collection[SectionName]) -> list[str]:
    """Return what of these sections could not be read, in words."""
    return [
        f"{section.name.value} are {section.state.value}" + (f": {section.reason}" if section.reason else "")
        for section in snapshot.sections
        if section.name in names and section.state is not SectionState.COMPLETE
    ]


def _person(index: OnCallIndex, person: PersonReadiness) -> JsonObject:
    user = index.users[person.user_id]
    return {
        "id": user.id,
        "name": user.name,
        "html_url": user.html_url,
        "state": person.state.value,
        "light": LIGHTS[person.state],
        "advice": ADVICE[person.state],
        "cells": [
            {
                "urgency": cell.urgency.value,
                "channel": cell.channel.value,
                "state": cell.state.value,
                "first_minutes": cell.first_minutes,
            }
            for cell in person.cells
        ],
        "duties": [_duty(index, duty) for duty in person.duties],
        "missed": [_duty(index, duty) for duty in person.missed],
    }


def _duty(index: OnCallIndex, duty: Duty) -> JsonObject:
    return {
        "policy": {"id": duty.policy_id, "name": index.policies[duty.policy_id].name},
        "level": duty.level,
        "moves_on_after_minutes": duty.moves_on_after,
    }


def _on_call(index: OnCallIndex, state: OnCall | None, now: int, zone: ZoneInfo) -> JsonObject | None:
    if state is None:
        return None
    return {
        "level": state.level,
        "is_round_robin": state.is_round_robin,
        "start": iso(state.start),
        "start_local": moment_text(state.start, zone),
        "starts_in": format_duration(state.start - now),
        "until": None if state.end is None else iso(state.end),
        "until_local": None if state.end is None else moment_text(state.end, zone),
        "ends_in": None if state.end is None else format_duration(state.end - now),
        "people": [_on_call_person(index, user_id, state) for user_id in state.user_ids],
    }


def _on_call_person(index: OnCallIndex, user_id: str, state: OnCall) -> JsonObject:
    user = index.users.get(user_id)
    zone = time_zone((user.time_zone if user else None) or index.snapshot.time_zone)
    ends_at = None if zone is None or state.end is None else moment_text(state.end, zone)
    return {
        "id": user_id,
        "name": user_id if user is None else user.name,
        "time_zone": None if zone is None else zone.key,
        "until_local": ends_at,
    }
