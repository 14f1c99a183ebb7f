"""What the workload analysis finds: uneven hours by design, and pages that chance can't explain. Pure."""

from collections.abc import Iterator

from calmo_pagerduty.findings.model import Confidence, Entity, Evidence, Finding, FindingSeverity
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import Band
from calmo_pagerduty.statistics.estimators import benjamini_hochberg_threshold
from calmo_pagerduty.workload.document import MIN_GROUP
from calmo_pagerduty.workload.limits import MAX_INCIDENTS_PER_SHIFT, PolicyLimits
from calmo_pagerduty.workload.pages import PagesJudgement, PersonPages
from calmo_pagerduty.workload.people import Person
from calmo_pagerduty.workload.pools import MAX_TARGET_RATIO, Pool, Share
from calmo_pagerduty.workload.report import WorkloadReport

UNEVEN_HOURS = "workload.uneven_hours"
PERSON_HOURS = "workload.hours_above_target"
PERSON_SLEEP = "workload.sleep_hours_above_target"
UNEVEN_PAGES = "workload.uneven_pages"
PERSON_PAGES = "workload.pages_beyond_luck"
TOO_MANY_INCIDENTS = "workload.too_many_incidents"

#: Expected share of false alarms among schedules whose pages are called uneven.
FALSE_DISCOVERY_RATE = 0.05
#: A person of such a schedule is named if chance makes so many pages less often than this.
PERSON_LEVEL = 0.05
HOUR = 3600


def hours_findings(report: WorkloadReport) -> Iterator[Finding]:
    """Yield what is uneven by design in the future, which can still be changed."""
    for pool in report.forward.pools:
        above = [share for share in pool.shares if share.is_above_target]
        # Whoever has too many hours has too many nights as well: that is a single finding.
        asleep = [share for share in pool.shares if share.is_above_sleep_target and not share.is_above_target]
        if above and len(pool.shares) >= MIN_GROUP:
            yield _uneven_hours(pool, above)
        for share in above:
            yield _person_hours(pool, share)
        for share in asleep:
            yield _person_sleep(pool, share)


def pages_findings(report: WorkloadReport) -> Iterator[Finding]:
    """Yield schedules whose pages chance doesn't explain, and the people who bear them.

    All schedules, by day and asleep, are one family of tests (Benjamini-Hochberg).
    """
    schedules = {pool.schedule.id: pool for pool in report.past.pools}
    judged = [
        (schedules[pages.schedule_id], judgement, is_asleep)
        for pages in report.past.pages
        for judgement, is_asleep in ((pages.all_hours, False), (pages.sleep_hours, True))
        if judgement.p_value is not None
    ]
    p_values = [judgement.p_value or 0.0 for _, judgement, _ in judged]
    threshold = benjamini_hochberg_threshold(p_values, FALSE_DISCOVERY_RATE)
    for pool, judgement, is_asleep in judged:
        if judgement.p_value is None or judgement.p_value > threshold:
            continue
        if len(judgement.people) >= MIN_GROUP:
            yield _uneven_pages(pool, judgement, is_asleep)
        for person in judgement.people:
            if person.p_value < PERSON_LEVEL and person.pages > person.high:
                yield _person_pages(pool, person, judgement, is_asleep)


def limit_findings(report: WorkloadReport) -> Iterator[Finding]:
    """Yield policies with more incidents than a shift can bear, beyond chance."""
    for limits in report.policies:
        if limits.has_too_many_incidents:
            yield _too_many_incidents(limits)


def schedule_entity(pool: Pool) -> Entity:
    return Entity("schedule", pool.schedule.id, pool.schedule.name, pool.schedule.html_url)


def person_entity(person: Person) -> Entity:
    return Entity("user", person.user_id, person.name, person.html_url)


def _uneven_hours(pool: Pool, above: list[Share]) -> Finding:
    most = max(share.seconds / share.target_seconds for share in above if share.target_seconds)
    robust = any(share.is_above_at_all_weights for share in above)
    return Finding(
        code=UNEVEN_HOURS,
        key=pool.schedule.id,
        severity=FindingSeverity.MEDIUM if robust else FindingSeverity.LOW,
        confidence=Confidence.HIGH,
        title=f"{pool.schedule.name}: hours are shared unevenly by design",
        entities=(schedule_entity(pool),),
        evidence=(
            Evidence(
                f"In the next {_days(pool.window)} days, {len(above)} of {len(pool.shares)} people bear over "
                f"{MAX_TARGET_RATIO} times their share of {_hours(pool.seconds)} h, by a turn or more; "
                f"the most loaded bears {most:.2f} times the share."
                + (" It holds whatever a night or a weekend weighs, from 1 to 3." if robust else ""),
                {
                    "people": len(pool.shares),
                    "above_target": len(above),
                    "largest_ratio": round(most, 3),
                    "hours": _hours(pool.seconds),
                    "holds_at_all_weights": robust,
                },
            ),
        ),
        recommendation="Give each person as many turns, or swap some: `what-if optimise` proposes swaps.",
        expected_effect="Nobody bears a turn or more above the share.",
        how_to_verify="Run `workload` again: no person is marked in this schedule.",
        how_to_undo="Change the order of turns back, or delete the overrides.",
        at=pool.window,
    )


def _person_hours(pool: Pool, share: Share) -> Finding:
    extra = share.seconds - share.target_seconds
    return Finding(
        code=PERSON_HOURS,
        key=f"{pool.schedule.id}:{share.person.user_id}",
        severity=FindingSeverity.MEDIUM if share.is_above_at_all_weights else FindingSeverity.LOW,
        confidence=Confidence.HIGH,
        title=f"{share.person.name} bears {_hours(extra)} h above the share in {pool.schedule.name}",
        entities=(schedule_entity(pool), person_entity(share.person)),
        evidence=(
            Evidence(
                f"{_hours(share.seconds)} h in the next {_days(pool.window)} days; the share is "
                f"{_hours(share.target_seconds)} h, and a turn {_hours(share.turn_seconds)} h.",
                {
                    "hours": _hours(share.seconds),
                    "target_hours": _hours(share.target_seconds),
                    "turn_hours": _hours(share.turn_seconds),
                    "hours_by_band": {band: _hours(seconds) for band, seconds in share.by_band.items()},
                    "holds_at_all_weights": share.is_above_at_all_weights,
                },
            ),
        ),
        recommendation="Pass a turn to whoever is below the share: `workload cover` names who is free.",
        expected_effect=f"Up to {_hours(extra)} h less in these {_days(pool.window)} days.",
        how_to_verify="Run `workload` again: the hours are within 1.25 times the share.",
        how_to_undo="Delete the override.",
        at=pool.window,
        about_persons=True,
    )


def _person_sleep(pool: Pool, share: Share) -> Finding:
    return Finding(
        code=PERSON_SLEEP,
        key=f"{pool.schedule.id}:{share.person.user_id}",
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.HIGH if share.person.is_zone_known else Confidence.LOW,
        title=f"{share.person.name} bears more sleep hours than the share in {pool.schedule.name}",
        entities=(schedule_entity(pool), person_entity(share.person)),
        evidence=(
            Evidence(
                f"{_hours(share.by_band[Band.SLEEP])} h of 22:00 to 08:00 in {share.person.zone.key}; the "
                f"share is {_hours(share.sleep_target_seconds)} h."
                + ("" if share.person.is_zone_known else " The person's zone is unknown; this is UTC."),
                {
                    "sleep_hours": _hours(share.by_band[Band.SLEEP]),
                    "target_sleep_hours": _hours(share.sleep_target_seconds),
                    "time_zone": share.person.zone.key,
                },
            ),
        ),
        recommendation="Share the nights, or let people in other zones take those that are their day.",
        expected_effect="Fewer nights on call for the person, the same coverage.",
        how_to_verify="Run `workload` again: the sleep hours are within 1.25 times the share.",
        how_to_undo="Change the turns back.",
        at=pool.window,
        about_persons=True,
    )


def _uneven_pages(pool: Pool, judgement: PagesJudgement, is_asleep: bool) -> Finding:
    when = "in sleep hours " if is_asleep else ""
    return Finding(
        code=UNEVEN_PAGES,
        key=f"{pool.schedule.id}:{'sleep' if is_asleep else 'all'}",
        severity=FindingSeverity.MEDIUM,
        confidence=_confidence(judgement),
        title=f"{pool.schedule.name}: pages {when}fall more unevenly than chance explains",
        entities=(schedule_entity(pool),),
        evidence=(
            Evidence(
                f"{judgement.pages} pages {when}in {judgement.bursts} bursts, Gini "
                f"{judgement.gini or 0:.2f}; "
                f"if only time on call decided, so uneven a share had probability {judgement.p_value:.4f}.",
                _pages_data(judgement),
            ),
        ),
        recommendation="Look at what pages at those times, and whether the same person always has them.",
        expected_effect="Pages within the luck band for everybody.",
        how_to_verify="Run `workload` again after four weeks: the p-value is above .05.",
        how_to_undo="Nothing was changed.",
    )


def _person_pages(pool: Pool, pages: PersonPages, judgement: PagesJudgement, is_asleep: bool) -> Finding:
    when = "in sleep hours " if is_asleep else ""
    return Finding(
        code=PERSON_PAGES,
        key=f"{pool.schedule.id}:{pages.person.user_id}:{'sleep' if is_asleep else 'all'}",
        severity=FindingSeverity.HIGH if is_asleep else FindingSeverity.MEDIUM,
        confidence=_confidence(judgement),
        title=f"{pages.person.name} gets more pages {when}than chance explains in {pool.schedule.name}",
        entities=(schedule_entity(pool), person_entity(pages.person)),
        evidence=(
            Evidence(
                f"{pages.pages} pages {when}of {judgement.pages}; time on call alone makes "
                f"{pages.expected:.1f}, and between {pages.low:.0f} and {pages.high:.0f} in 95 of 100 cases "
                f"(p {pages.p_value:.4f}).",
                {
                    "pages": pages.pages,
                    "expected": round(pages.expected, 2),
                    "low": pages.low,
                    "high": pages.high,
                    "p_value": round(pages.p_value, 6),
                },
            ),
        ),
        recommendation="Give the person a rest, and look at which hours and services the pages come from.",
        expected_effect=f"About {pages.pages - pages.expected:.0f} fewer pages in such a period.",
        how_to_verify="Run `workload` again after four weeks: the count is within the luck band.",
        how_to_undo="Delete the override.",
        about_persons=True,
    )


def _too_many_incidents(limits: PolicyLimits) -> Finding:
    policy, rate = limits.policy, limits.incidents_per_shift or 0.0
    return Finding(
        code=TOO_MANY_INCIDENTS,
        key=policy.id,
        severity=FindingSeverity.HIGH,
        confidence=Confidence.HIGH,
        title=f"{policy.name}: {rate:.1f} incidents per 12-hour shift, where two are bearable",
        entities=(Entity("policy", policy.id, policy.name, policy.html_url),),
        evidence=(
            Evidence(
                f"{limits.incidents} high-urgency incidents in {limits.on_call_hours:.0f} h on call: "
                f"{rate:.2f} per 12 h (95 % interval {limits.low:.2f} to {limits.high:.2f}); "
                f"Google's limit is {MAX_INCIDENTS_PER_SHIFT:.0f}.",
                {
                    "incidents": limits.incidents,
                    "per_shift": round(rate, 3),
                    "low": None if limits.low is None else round(limits.low, 3),
                    "high": None if limits.high is None else round(limits.high, 3),
                },
            ),
        ),
        recommendation="Remove the noisiest alerts, or split the services among two policies.",
        expected_effect="Time to follow up each incident within the shift.",
        how_to_verify="Run `workload` again: the interval's lower end is at most 2.",
        how_to_undo="Restore the alerts.",
    )


def _pages_data(judgement: PagesJudgement) -> dict[str, object]:
    return {
        "pages": judgement.pages,
        "bursts": judgement.bursts,
        "burst_seconds": judgement.burst_seconds,
        "gini": None if judgement.gini is None else round(judgement.gini, 4),
        "p_value": None if judgement.p_value is None else round(judgement.p_value, 6),
    }


def _confidence(judgement: PagesJudgement) -> Confidence:
    return Confidence.HIGH if (judgement.p_value or 0.0) < 0.001 else Confidence.MEDIUM


def _hours(seconds: float) -> float:
    return round(seconds / HOUR, 1)


def _days(window: Span) -> int:
    return round(window.seconds / (24 * HOUR))
