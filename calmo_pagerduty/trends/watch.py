"""The watch for a doubled rate that goes on between two analyses, on the incidents as they come. Pure.

Its state is what the last result of RATE_WATCH says. A day is 24 hours from the end of the days that the
analysis of trends has counted. A day's count only grows, so an alarm may be raised before the day is over
without any more false alarms. Doing it twice changes nothing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from calmo_pagerduty.findings.model import (
    AnalysisInputs,
    AnalysisResult,
    Confidence,
    Entity,
    Evidence,
    Finding,
    FindingSeverity,
)
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.local_bands import DAY, HOUR
from calmo_pagerduty.statistics.cusum import next_value
from calmo_pagerduty.trends.document import instant_text

RATE_WATCH = "rate_watch"
RATE_RISES = "trends.rate_rises_now"
VERSION = 1
#: A watch is designed anew after so long.
DESIGN_SECONDS = 28 * DAY
#: Incidents that arrive later than this after a day's end are not counted in it.
GRACE = HOUR


@dataclass(frozen=True, slots=True)
class Watch:
    """The watch of a service: `value` is S after the days before `through`. Times are epoch seconds (UTC)."""

    service_id: str
    name: str
    base_per_day: float
    k: float
    h: float
    false_alarm_every_days: float | None
    detects_after_days: float | None
    value: float
    through: int
    designed_at: int
    #: The incident that raised the last alarm, and the incidents of that day until then.
    alarm_at: int | None = None
    alarm_incidents: int = 0


def begin(trends: AnalysisResult) -> dict[str, Watch]:
    """Return the watches that a result of the analysis of trends designs, by service."""
    watches = {}
    for row in trends.metrics["services"]:
        rise = row["rise"]
        if rise is not None and rise.get("until") is not None:
            watches[row["service_id"]] = Watch(
                row["service_id"],
                row["name"],
                rise["base_per_day"],
                rise["k"],
                rise["h"],
                rise["false_alarm_every_days"],
                rise["detects_after_days"],
                rise["value"],
                int(datetime.fromisoformat(rise["until"]).timestamp()),
                trends.now,
            )
    return watches


def advance_watches(
    trends: AnalysisResult, before: AnalysisResult | None, times: Mapping[str, Sequence[int]], now: int
) -> AnalysisResult:
    """Return the watches as of `now`. `times` are when incidents of each service began, ascending."""
    kept = {} if before is None else {row["service_id"]: Watch(**row) for row in before.metrics["services"]}
    designed = begin(trends)
    watches = [
        _advance(_renewed(kept.get(service_id), watch, now), times.get(service_id, ()), now)
        for service_id, watch in sorted(designed.items())
    ]
    return AnalysisResult(
        analysis=RATE_WATCH,
        version=VERSION,
        snapshot_id=trends.snapshot_id,
        now=now,
        window=Span(min((watch.through for watch in watches), default=now), now),
        time_zone=trends.time_zone,
        inputs=AnalysisInputs({"services": len(watches)}, now),
        metrics={"services": [asdict(watch) for watch in watches]},
        findings=tuple(_findings(watches, designed)),
    )


def earliest_time(trends: AnalysisResult, before: AnalysisResult | None) -> int:
    """Return from when on incidents must be known to advance the watches."""
    starts = [watch.through for watch in begin(trends).values()]
    starts += [] if before is None else [row["through"] for row in before.metrics["services"]]
    return min(starts, default=trends.now)


def _renewed(kept: Watch | None, designed: Watch, now: int) -> Watch:
    if kept is None:
        return designed
    if now - kept.designed_at < DESIGN_SECONDS:
        return replace(kept, name=designed.name)
    return replace(designed, alarm_at=kept.alarm_at, alarm_incidents=kept.alarm_incidents)


def _advance(watch: Watch, times: Sequence[int], now: int) -> Watch:
    while watch.through + DAY + GRACE <= now:
        watch = _counted(watch, times)
    # What may still change is judged, but not kept.
    ahead = watch
    while ahead.through + DAY <= now:
        ahead = _counted(ahead, times)
    ahead = _alarmed(ahead, _between(times, ahead.through, now))
    return replace(watch, alarm_at=ahead.alarm_at, alarm_incidents=ahead.alarm_incidents)


def _counted(watch: Watch, times: Sequence[int]) -> Watch:
    """Return the watch after its next day."""
    day = _between(times, watch.through, watch.through + DAY)
    watch = _alarmed(watch, day)
    value = next_value(watch.value, len(day), watch.k)
    return replace(watch, value=0.0 if value >= watch.h else value, through=watch.through + DAY)


def _alarmed(watch: Watch, day: Sequence[int]) -> Watch:
    """Return the watch with the alarm of a day: the incident that brings S to h raises it."""
    needed = max(1, math.ceil(round(watch.h + watch.k - watch.value, 6)))
    if len(day) < needed:
        return watch
    return replace(watch, alarm_at=day[needed - 1], alarm_incidents=needed)


def _between(times: Sequence[int], start: int, end: int) -> list[int]:
    return [time for time in times if start <= time < end]


def _findings(watches: Iterable[Watch], designed: Mapping[str, Watch]) -> Iterable[Finding]:
    """Yield the alarms of days that the analysis of trends has not counted: it finds the others itself."""
    for watch in watches:
        if watch.alarm_at is not None and watch.alarm_at >= designed[watch.service_id].through:
            yield _finding(watch, watch.alarm_at)


def _finding(watch: Watch, alarm_at: int) -> Finding:
    data: JsonObject = {
        "n": watch.alarm_incidents,
        "base_per_day": watch.base_per_day,
        "k": watch.k,
        "h": watch.h,
        "alarm_at": instant_text(alarm_at),
    }
    every, after = watch.false_alarm_every_days, watch.detects_after_days
    rates = "practically never" if every is None else f"every {every:.0f} days on average"
    delay = "" if after is None else f", and a true one after {after:.0f} days of twice the rate"
    return Finding(
        RATE_RISES,
        watch.service_id,
        FindingSeverity.MEDIUM,
        Confidence.MEDIUM,
        f"{watch.name}: incidents come at twice the usual rate or more, right now",
        (Entity("service", watch.service_id, watch.name),),
        (
            Evidence(
                f"{watch.alarm_incidents} incidents on that day brought the CUSUM to h = {watch.h:g};"
                f" the usual rate is {watch.base_per_day:g} a day.",
                data,
            ),
            Evidence(f"A false alarm comes {rates}{delay}."),
        ),
        "Look at the newest incidents of the service, and at changes just before them.",
        "The usual rate again.",
        "Run `calmo-pagerduty trends show --service` after the next analysis: it counts the same days.",
        "Nothing is changed by this finding; dismiss it with a reason if the rise is intended.",
        at=Span(alarm_at, alarm_at + DAY),
    )
