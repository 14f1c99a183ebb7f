"""Patterns as JSON. Times are ISO 8601 in UTC; None is unknown, never zero. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from calmo_pagerduty.contexts.facts import ResolutionText
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.patterns.alert_grouping import MAX_HIDDEN_SHARE, GroupingAdvice, GroupingReplay
from calmo_pagerduty.patterns.auto_pause import MAX_HANDLED_SHARE, PauseAdvice, PauseReplay
from calmo_pagerduty.patterns.escalations import TeamEscalations
from calmo_pagerduty.patterns.flapping import FlappingAlert
from calmo_pagerduty.patterns.misrouting import Misrouting
from calmo_pagerduty.patterns.noise import MIN_INCIDENTS, NOISY_BELOW, NoiseRow, few_that_make_most
from calmo_pagerduty.patterns.past import DAYS, PastIncident
from calmo_pagerduty.patterns.recurring import RecurringGroup
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
    "recurring": "A kind of at least three incidents. Avoidable are the pages of all but the first: had the"
    " cause been removed after it.",
    "misrouting": "People handed a service's incidents to another policy; even the lower Wilson bound of the"
    " share reaches 30 %.",
    "noisy": f"Even the upper bound of the actionable share is below {NOISY_BELOW:.0%}, of at least"
    f" {MIN_INCIDENTS} incidents.",
}


#: Tells whether a reader may see a person, by the id at PagerDuty.
MaySee = Callable[[str], bool]


def nobody(_user_id: str) -> bool:
    """Admit no person: what is stored names none."""
    return False


def patterns_document(
    report: PatternReport,
    may_see: MaySee = nobody,
    known: Mapping[str, ResolutionText] = MappingProxyType({}),
) -> JsonObject:
    """Return the report as JSON, with the persons that a reader may see and the known texts."""
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
        "recurring": [_recurring(report, group, may_see, known) for group in report.recurring],
        "misrouting": [_misrouting(report, item) for item in report.misroutings],
        "escalations": [_escalations(report, item, may_see) for item in report.escalations],
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


def _recurring(
    report: PatternReport, group: RecurringGroup, may_see: MaySee, known: Mapping[str, ResolutionText]
) -> JsonObject:
    texts = [known[item.incident.id] for item in group.incidents if item.incident.id in known]
    ways = Counter(text.resolution for text in texts if text.resolution)
    names = _names(report)
    return {
        "service_id": group.service_id,
        "name": service_name(report, group.service_id),
        "kind": group.kind,
        "title": texts[-1].title if texts else None,
        "like": incident_document(group.incidents[-1]),
        "incidents": len(group.incidents),
        "of": group.of,
        "is_frequent": group.is_frequent,
        "resolved": group.resolved,
        "healed": group.healed,
        "median_seconds": group.median,
        "slow_seconds": group.slow,
        "last_at": instant_text(group.incidents[-1].at),
        "pages": group.pages,
        "avoidable_pages": group.avoidable_pages,
        "pages_of_the_account": report.past.pages,
        "people": len(group.resolvers),
        "resolved_by": [
            {"id": id, "name": names.get(id, id), "incidents": count}
            for id, count in group.resolvers
            if may_see(id)
        ],
        "resolutions": [
            {"text": text, "incidents": count}
            for text, count in sorted(ways.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
        ],
    }


def _misrouting(report: PatternReport, item: Misrouting) -> JsonObject:
    return {
        "service_id": item.service.id,
        "name": item.service.name,
        "policy_id": item.policy.id,
        "policy": item.policy.name,
        "handed": len(item.handed),
        "of": item.of,
        "interval": interval_document(item.interval),
        "median_seconds": item.median_seconds,
        "avoidable_pages": item.pages,
        "pages_of_the_account": report.past.pages,
    }


def _escalations(report: PatternReport, item: TeamEscalations, may_see: MaySee) -> JsonObject:
    names = _names(report)
    return {
        "team_id": item.team.id,
        "name": item.team.name,
        "incidents": item.incidents,
        "escalated": item.escalated,
        "interval": interval_document(item.interval),
        "ways": [
            {"way": str(way), "count": count, "median_seconds": seconds} for way, count, seconds in item.ways
        ],
        "passages": [
            {
                "way": str(passage.way),
                "from": [names.get(id, id) for id in passage.from_ids],
                "to": [names.get(id, id) for id in passage.to_ids],
                "count": passage.count,
                "median_seconds": passage.median_seconds,
            }
            for passage in item.passages
            if all(may_see(id) for id in (*passage.from_ids, *passage.to_ids))
        ][:10],
    }


def _names(report: PatternReport) -> Mapping[str, str]:
    return {user.id: user.name for user in report.past.snapshot.users}
