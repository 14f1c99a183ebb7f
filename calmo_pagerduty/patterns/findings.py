"""What patterns find: pauses, groupings and noise, each with the pages that a change would avoid. Pure."""

from collections.abc import Iterator

from calmo_pagerduty.findings.model import Confidence, Entity, Evidence, Finding, FindingSeverity
from calmo_pagerduty.kernel.count_text import count_text
from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.patterns.alert_grouping import GroupingAdvice, GroupingType
from calmo_pagerduty.patterns.auto_pause import PauseAdvice, PauseSetting
from calmo_pagerduty.patterns.misrouting import Misrouting
from calmo_pagerduty.patterns.noise import NoiseRow
from calmo_pagerduty.patterns.past import PastIncident
from calmo_pagerduty.patterns.report import PatternReport
from calmo_pagerduty.snapshots.model import Service

PAUSE = "patterns.auto_pause"
NOISY = "patterns.noisy_service"
GROUPING = "patterns.alert_grouping"
MISROUTED = "patterns.misrouting"
CODES = (PAUSE, NOISY, GROUPING, MISROUTED)
_VERIFY = "Run `calmo-pagerduty patterns show` after four more weeks, and compare the pages."


def pattern_findings(report: PatternReport) -> Iterator[Finding]:
    """Yield what is worth changing."""
    for pause in report.pauses:
        yield _pause(report, pause)
    for grouping in report.groupings:
        yield _grouping(report, grouping)
    for row in report.noise:
        if row.is_noisy:
            yield _noisy(report, row)
    for misrouting in report.misroutings:
        yield _misrouted(report, misrouting)


def would_have_avoided(report: PatternReport, pages: int) -> str:
    """Return `Would have avoided 12 of your last 90 pages`."""
    return f"Would have avoided {pages} of your last {count_text(report.past.pages, 'page')}"


def service_entity(service: Service) -> Entity:
    return Entity("service", service.id, service.name, service.html_url)


def incident_entity(item: PastIncident) -> Entity:
    incident = item.incident
    return Entity("incident", incident.id, f"#{incident.number}", incident.html_url)


def _pause(report: PatternReport, advice: PauseAdvice) -> Finding:
    chosen, name, latest = advice.chosen, advice.service.name, advice.incidents[-1]
    pause = format_duration(chosen.seconds)
    which = "" if advice.kind is None else f" alerts like #{latest.incident.number}"
    what = f"{name}: {'flapping' if advice.is_flapping else 'passing'} alerts, pause{which} for {pause}"
    evidence = [
        Evidence(
            f"{would_have_avoided(report, chosen.avoided_pages)} and delayed {chosen.delayed_pages} by"
            f" {pause}: of {count_text(chosen.paused, 'incident')}, {chosen.avoided} resolved themselves"
            f" within {pause} before anybody acted.",
            {
                "avoided_pages": chosen.avoided_pages,
                "delayed_pages": chosen.delayed_pages,
                "avoided": chosen.avoided,
                "n": chosen.paused,
                "incidents": [item.incident.id for item in advice.incidents[-20:]],
            },
        ),
        Evidence(
            f"People acted on {chosen.handled} of the paused ({chosen.handled_share:.0%}).",
            {"acted_on": chosen.handled},
        ),
    ]
    if advice.checked is not None:
        half = advice.checked
        evidence.append(
            Evidence(
                f"Chosen by the first half alone, {format_duration(half.seconds)} would have avoided"
                f" {half.avoided} of {count_text(half.paused, 'incident')} in the second.",
                {"seconds": half.seconds, "avoided": half.avoided, "n": half.paused},
            )
        )
    if advice.setting is PauseSetting.SERVICE:
        how = f"Switch on Auto-Pause Incident Notifications of {name} with {pause}."
    else:
        how = (
            f"In the event orchestration of {name}, add a rule for the alert of"
            f" #{latest.incident.number} that pauses incident notifications for {chosen.seconds} seconds."
        )
    return Finding(
        PAUSE,
        advice.service.id if advice.kind is None else f"{advice.service.id}:{advice.kind}",
        FindingSeverity.MEDIUM if chosen.avoided_pages >= 10 else FindingSeverity.LOW,
        Confidence.HIGH if advice.checked is not None and advice.checked.avoided else Confidence.MEDIUM,
        what,
        (service_entity(advice.service), incident_entity(latest)),
        tuple(evidence),
        how,
        f"{would_have_avoided(report, chosen.avoided_pages)}.",
        _VERIFY,
        "Switch the pause off again, or delete the rule.",
    )


def _grouping(report: PatternReport, advice: GroupingAdvice) -> Finding:
    chosen, name = advice.chosen, advice.service.name
    window = format_duration(chosen.seconds)
    if chosen.type is GroupingType.CONTENT:
        how = (
            f"Group alerts of {name} by content, on the fields that name the check, with a rolling window of"
            f" {window}. Leave out fields with changing numbers."
        )
    else:
        how = f"Group alerts of {name} by time, {chosen.seconds // 60} minutes."
    return Finding(
        GROUPING,
        advice.service.id,
        FindingSeverity.MEDIUM if chosen.avoided_pages >= 10 else FindingSeverity.LOW,
        Confidence.MEDIUM,
        f"{name}: alerts that belong together open incidents of their own",
        (service_entity(advice.service),),
        (
            Evidence(
                f"{would_have_avoided(report, chosen.avoided_pages)}: {chosen.joined} of"
                f" {count_text(chosen.incidents, 'incident')} would have joined an open one.",
                {"avoided_pages": chosen.avoided_pages, "joined": chosen.joined, "n": chosen.incidents},
            ),
            Evidence(
                f"{chosen.hidden} of the joined needed somebody of their own.", {"hidden": chosen.hidden}
            ),
        ),
        how,
        f"{would_have_avoided(report, chosen.avoided_pages)}.",
        _VERIFY,
        "Switch alert grouping of the service off again; open incidents stay as they are.",
    )


def _noisy(report: PatternReport, row: NoiseRow) -> Finding:
    interval = row.interval
    assert interval is not None
    return Finding(
        NOISY,
        row.service.id,
        FindingSeverity.MEDIUM if row.quiet_pages >= 10 else FindingSeverity.LOW,
        Confidence.HIGH,
        f"{row.service.name}: people seldom have to act on its incidents",
        (service_entity(row.service),),
        (
            Evidence(
                f"Somebody acted on {row.actionable} of {len(row.incidents)} (95 % interval"
                f" {interval.low:.0%} to {interval.high:.0%}).",
                {"actionable": row.actionable, "n": len(row.incidents), "high": round(interval.high, 4)},
            ),
            Evidence(
                f"{row.quiet_pages} of your last {count_text(report.past.pages, 'page')} were about incidents"
                " of this service on which nobody acted.",
                {"pages": row.pages, "quiet_pages": row.quiet_pages},
            ),
        ),
        "Give what needs nobody low urgency, raise its thresholds, or suppress it in the orchestration.",
        f"{would_have_avoided(report, row.quiet_pages)}, if only what people act on had paged.",
        _VERIFY,
        "Set the urgency or the threshold back.",
    )


def _misrouted(report: PatternReport, item: Misrouting) -> Finding:
    name, policy, handed = item.service.name, item.policy, len(item.handed)
    return Finding(
        MISROUTED,
        f"{item.service.id}:{policy.id}",
        FindingSeverity.MEDIUM,
        Confidence.HIGH if item.of >= 10 else Confidence.MEDIUM,
        f"{name}: people hand its incidents to {policy.name}",
        (service_entity(item.service), Entity("policy", policy.id, policy.name, policy.html_url)),
        (
            Evidence(
                f"{handed} of {count_text(item.of, 'incident')} ended there (95 % interval"
                f" {item.interval.low:.0%} to {item.interval.high:.0%}), after a median of"
                f" {format_duration(item.median_seconds)}.",
                {"handed": handed, "n": item.of, "low": round(item.interval.low, 4)},
            ),
            Evidence(
                f"{item.pages} of your last {count_text(report.past.pages, 'page')} came before they were"
                " handed on.",
                {"pages": item.pages},
            ),
        ),
        f"Point {name} at the escalation policy {policy.name}.",
        f"{would_have_avoided(report, item.pages)}, of people who then handed the incident on.",
        _VERIFY,
        "Point the service at its former policy again.",
    )
