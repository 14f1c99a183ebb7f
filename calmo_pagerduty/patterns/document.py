"""Patterns as JSON. Times are ISO 8601 in UTC; None is unknown, never zero. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.patterns.alert_grouping import MAX_HIDDEN_SHARE, GroupingAdvice, GroupingReplay
from calmo_pagerduty.patterns.auto_pause import MAX_HANDLED_SHARE, PauseAdvice, PauseReplay
from calmo_pagerduty.patterns.flapping import FlappingAlert
from calmo_pagerduty.patterns.noise import MIN_INCIDENTS, NOISY_BELOW, NoiseRow, few_that_make_most
from calmo_pagerduty.patterns.past import DAYS, PastIncident
from calmo_pagerduty.patterns.report import PatternReport
from calmo_pagerduty.statistics.estimators import Interval

#: What each word means; docs/patterns.md says more.
DEFINITIONS: Mapping[str, str] = {
    "page": "A push, SMS, phone or WhatsApp notification; those of a person within a minute are one.",
    "kind": "Incidents of one service whose titles are equal without ids, addresses and numbers.",
    "flapping": "Three or more times within an hour, an alert came and resolved itself, and came again within"
    " 15 minutes.",
    "avoided": "Pages of incidents that resolved themselves within the pause, before anybody acted; or that"
    " would have joined an open incident.",
    "delayed": "Pages of all other incidents: each would have come later by the pause.",
    "harmless": f"Of the paused incidents, people acted on at most {MAX_HANDLED_SHARE:.0%}; of the joined, at"
    f" most {MAX_HIDDEN_SHARE:.0%} needed somebody of their own.",
    "second half": "The pause that the first half of the incidents speaks for, replayed on the second half.",
    "actionable": "Somebody acknowledged, noted, reassigned, escalated, snoozed or resolved it, with Wilson's"
    " 95 % interval.",
    "noisy": f"Even the upper bound of the actionable share is below {NOISY_BELOW:.0%}, of at least"
    f" {MIN_INCIDENTS} incidents.",
}


def patterns_document(report: PatternReport) -> JsonObject:
    """Return the report as JSON. It names no persons."""
    past = report.past
    return {
        "since": instant_text(past.window.start),
        "until": instant_text(past.window.end),
        "days": DAYS,
        "problem": past.problem or None,
        "incidents": len(past.incidents),
        "pages": past.pages,
        "flapping": [_flapping(report, alert) for alert in report.flapping],
        "auto_pause": [_pause(report, advice) for advice in report.pauses],
        "services_of_most_pages": few_that_make_most(report.noise),
        "noise": [_noise(row) for row in report.noise],
        "alert_grouping": [_grouping(report, advice) for advice in report.groupings],
        "definitions": [{"word": word, "meaning": meaning} for word, meaning in DEFINITIONS.items()],
    }


def instant_text(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def incident_document(item: PastIncident) -> JsonObject:
    incident = item.incident
    return {"id": incident.id, "number": incident.number, "html_url": incident.html_url}


def service_name(report: PatternReport, service_id: str) -> str:
    """Return the service's name; its id if it isn't in the account any more."""
    names = {service.id: service.name for service in report.past.snapshot.services}
    return names.get(service_id, service_id)


def _flapping(report: PatternReport, alert: FlappingAlert) -> JsonObject:
    return {
        "service_id": alert.service_id,
        "name": service_name(report, alert.service_id),
        "kind": alert.kind,
        "like": incident_document(alert.latest),
        "incidents": len(alert.incidents),
        "spells": len(alert.spells),
        "cycles": alert.cycles,
        "pages": alert.pages,
        "last_at": instant_text(alert.latest.at),
    }


def _pause(report: PatternReport, advice: PauseAdvice) -> JsonObject:
    return {
        "service_id": advice.service.id,
        "name": advice.service.name,
        "kind": advice.kind,
        "like": incident_document(advice.incidents[-1]),
        "setting": str(advice.setting),
        "seconds": advice.chosen.seconds,
        "is_flapping": advice.is_flapping,
        "incidents": len(advice.incidents),
        "pages": advice.pages,
        "pages_of_the_account": report.past.pages,
        "chosen": _pause_replay(advice.chosen),
        "second_half": None if advice.checked is None else _pause_replay(advice.checked),
        "replays": [_pause_replay(replay) for replay in advice.replays],
    }


def _pause_replay(replay: PauseReplay) -> JsonObject:
    return {
        "seconds": replay.seconds,
        "incidents": replay.paused,
        "avoided": replay.avoided,
        "avoided_pages": replay.avoided_pages,
        "delayed": replay.delayed,
        "delayed_pages": replay.delayed_pages,
        "acted_on": replay.handled,
        "acted_on_share": round(replay.handled_share, 4),
    }


def _noise(row: NoiseRow) -> JsonObject:
    return {
        "service_id": row.service.id,
        "name": row.service.name,
        "incidents": len(row.incidents),
        "pages": row.pages,
        "quiet_pages": row.quiet_pages,
        "actionable": row.actionable,
        "actionable_share": round(row.actionable / len(row.incidents), 4),
        "interval": interval_document(row.interval),
        "is_noisy": row.is_noisy,
        "cumulative_share": round(row.cumulative, 4),
    }


def _grouping(report: PatternReport, advice: GroupingAdvice) -> JsonObject:
    return {
        "service_id": advice.service.id,
        "name": advice.service.name,
        "incidents": len(advice.incidents),
        "pages": advice.pages,
        "pages_of_the_account": report.past.pages,
        "chosen": _grouping_replay(advice.chosen),
        "replays": [_grouping_replay(replay) for replay in advice.replays],
    }


def _grouping_replay(replay: GroupingReplay) -> JsonObject:
    return {
        "type": str(replay.type),
        "seconds": replay.seconds,
        "incidents": replay.incidents,
        "joined": replay.joined,
        "avoided_pages": replay.avoided_pages,
        "hidden": replay.hidden,
        "hidden_share": round(replay.hidden_share, 4),
    }


def interval_document(interval: Interval | None) -> Sequence[float] | None:
    return None if interval is None else [round(interval.low, 4), round(interval.high, 4)]
