"""A simulation for readers: people and objects by name, times as texts, and the story in sentences. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from calmo_pagerduty.escalation.model import (
    Assignment,
    Outcome,
    Page,
    Silence,
    Simulation,
    SkippedLevel,
    Unpaged,
)
from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.time_zones import local_time, time_zone
from calmo_pagerduty.snapshots.model import ContactKind
from calmo_pagerduty.snapshots.on_call import OnCallIndex

MINUTE = 60

CHANNEL_WORDS: Mapping[ContactKind, str] = MappingProxyType(
    {
        ContactKind.EMAIL: "e-mail",
        ContactKind.PHONE: "phone call",
        ContactKind.SMS: "SMS",
        ContactKind.PUSH: "push",
        ContactKind.WHATSAPP: "WhatsApp",
    }
)
SILENCE_WORDS: Mapping[Silence, str] = MappingProxyType(
    {
        Silence.TOO_LATE: "the policy moves on before the rule fires",
        Silence.UNUSABLE_METHOD: "the contact method is disabled or blacklisted",
        Silence.NO_RULE: "no notification rule of this urgency",
        Silence.UNKNOWN_RULES: "this token may not read the person's rules",
    }
)
OUTCOME_WORDS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.EXHAUSTED: "Nobody is left to page: the incident stays with the last people.",
        Outcome.STAYS: "Low urgency doesn't escalate: the incident stays with these people.",
        Outcome.AUTO_RESOLVED: "The service's timeout resolves the incident before anybody is left to page.",
        Outcome.DROPPED: "Nobody is on call on any level: PagerDuty creates no incident.",
        Outcome.DISABLED: "The service is disabled: PagerDuty creates no incident.",
        Outcome.MAINTENANCE: "The service is in maintenance: PagerDuty creates no incident.",
        Outcome.NO_POLICY: "The snapshot doesn't have the service's escalation policy.",
        Outcome.UNKNOWN: "Who is paged is unknown: a schedule can't be read, or not for that time.",
    }
)


def simulation_report(index: OnCallIndex, simulation: Simulation) -> JsonObject:
    """Return the simulation as JSON. `after_minutes` counts from the incident's start; times are UTC."""
    service = index.services[simulation.service_id]
    policy = index.policies.get(simulation.policy_id or "")
    return {
        "service": {"id": service.id, "name": service.name, "html_url": service.html_url},
        "policy": None
        if policy is None
        else {
            "id": policy.id,
            "name": policy.name,
            "html_url": policy.html_url,
            "num_loops": policy.num_loops,
        },
        "snapshot_id": index.snapshot.id,
        "snapshot_taken_at": _time(index.snapshot.taken_at),
        "at": _time(simulation.at),
        "urgency": str(simulation.urgency),
        "outcome": str(simulation.outcome),
        "outcome_words": OUTCOME_WORDS[simulation.outcome],
        "ended_at": None if simulation.ended_at is None else _time(simulation.ended_at),
        "ended_after_minutes": None
        if simulation.ended_at is None
        else _minutes(simulation, simulation.ended_at),
        "assignments": [_assignment(index, simulation, step) for step in simulation.assignments],
        "pages": [_page(index, simulation, page) for page in simulation.pages],
        "unpaged": [_unpaged(index, silent) for silent in simulation.unpaged],
        "skipped_levels": [_skipped(simulation, skip) for skip in simulation.skipped],
        "notes": list(simulation.notes),
    }


def person_name(index: OnCallIndex, user_id: str) -> str:
    user = index.users.get(user_id)
    return user_id if user is None else user.name


def _assignment(index: OnCallIndex, simulation: Simulation, step: Assignment) -> JsonObject:
    return {
        "at": _time(step.at),
        "after_minutes": _minutes(simulation, step.at),
        "until": None if step.until is None else _time(step.until),
        "level": step.level,
        "pass": step.pass_number,
        "urgency": str(step.urgency),
        "is_one_of": step.is_one_of,
        "people": [[_person(index, user_id, step.at) for user_id in group] for group in step.candidates],
    }


def _page(index: OnCallIndex, simulation: Simulation, page: Page) -> JsonObject:
    return {
        "at": _time(page.at),
        "after_minutes": _minutes(simulation, page.at),
        "level": page.level,
        "pass": page.pass_number,
        "person": _person(index, page.user_id, page.at),
        "channel": None if page.channel is None else str(page.channel),
        "channel_words": "unknown channel" if page.channel is None else CHANNEL_WORDS[page.channel],
        "rule_id": page.rule_id,
        "contact_method_id": page.contact_method_id,
        "is_one_of": page.is_one_of,
    }


def _unpaged(index: OnCallIndex, silent: Unpaged) -> JsonObject:
    return {
        "level": silent.level,
        "pass": silent.pass_number,
        "person": {"id": silent.user_id, "name": person_name(index, silent.user_id)},
        "why": str(silent.why),
        "why_words": SILENCE_WORDS[silent.why],
        "rule_id": silent.rule_id,
        "delay_minutes": silent.delay_minutes,
    }


def _skipped(simulation: Simulation, skip: SkippedLevel) -> JsonObject:
    return {"level": skip.level, "pass": skip.pass_number, "after_minutes": _minutes(simulation, skip.at)}


def _person(index: OnCallIndex, user_id: str, at: int) -> JsonObject:
    user = index.users.get(user_id)
    zone = time_zone((None if user is None else user.time_zone) or index.snapshot.time_zone)
    return {
        "id": user_id,
        "name": person_name(index, user_id),
        "html_url": None if user is None else user.html_url,
        "local_time": local_time(datetime.fromtimestamp(at, UTC), zone),
    }


def _minutes(simulation: Simulation, at: int) -> float:
    return round((at - simulation.at) / MINUTE, 2)


def _time(at: int) -> str:
    return format_iso_utc(datetime.fromtimestamp(at, UTC))
