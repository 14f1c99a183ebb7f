"""Pages of a schedule's people, judged against what chance alone would bring. Pure.

Hours are designed; pages are luck. Whoever was on call on the first level for a share of the time gets each
burst of pages with that probability. Pages of one cause come together, so they are drawn together: those less
than two hours apart, or all of a day, if a person's days differ more than a Poisson process allows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calmo_pagerduty.kernel.intervals import Span, clip, total_seconds
from calmo_pagerduty.kernel.local_bands import DAY, Band, band_at, split_into_bands
from calmo_pagerduty.statistics.fairness import gini
from calmo_pagerduty.statistics.luck import LuckTest, holm_adjusted, judge_luck, pooled_dispersion
from calmo_pagerduty.workload.interruptions import BURST_SECONDS, Interruption, burst_begins, bursts
from calmo_pagerduty.workload.people import OnCallTimes, Person

#: With fewer pages, nothing is said: even all of them on one of six people could be chance.
MIN_PAGES = 10
#: A page may come so long after its person went off call: the incident was assigned before.
HANDOFF_SECONDS = 30 * 60
_OVERDISPERSED = 0.05


@dataclass(frozen=True, slots=True)
class PersonPages:
    """A person's pages by one schedule, and where chance alone would put them in 95 of 100 cases."""

    person: Person
    seconds: int
    pages: int
    expected: float
    low: float
    high: float
    #: The probability of so many pages or more by chance, adjusted for the number of people (Holm).
    p_value: float


@dataclass(frozen=True, slots=True)
class PagesJudgement:
    """Whether chance explains how pages fell. `p_value` is None if there are too few to tell."""

    pages: int
    bursts: int
    burst_seconds: int
    gini: float | None
    p_value: float | None
    people: tuple[PersonPages, ...]
    #: Why it isn't judged; empty if it is.
    insufficient: str = ""


@dataclass(frozen=True, slots=True)
class SchedulePages:
    """A schedule's pages: all, and those in sleep hours."""

    schedule_id: str
    all_hours: PagesJudgement
    sleep_hours: PagesJudgement


def pages_by_schedule(
    items: Sequence[Interruption], times: OnCallTimes, level_1: Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[Interruption]], tuple[Interruption, ...]]:
    """Return the interruptions that came to a person by a schedule of a first level, and all the others.

    The schedule is of the incident's policy, and the person is on call by it, or was until half an hour ago.
    """
    found: dict[str, list[Interruption]] = {schedule_id: [] for schedule_id in times.by_schedule}
    others: list[Interruption] = []
    for item in items:
        candidates = () if item.policy_id is None else level_1.get(item.policy_id, ())
        by = next((key for key in sorted(candidates) if _was_on_call(item, times, key)), None)
        if by is None:
            others.append(item)
        else:
            found[by].append(item)
    return found, tuple(others)


def judge_pages(
    schedule_id: str,
    items: Sequence[Interruption],
    times: OnCallTimes,
    window: Span,
    people: Mapping[str, Person],
) -> SchedulePages:
    """Judge a schedule's pages within a window in which log entries are known."""
    held = {user_id: clip(spans, window) for user_id, spans in times.by_schedule.get(schedule_id, {}).items()}
    asleep = {
        user_id: [
            Span(part.start, part.end)
            for span in spans
            for part in split_into_bands(span, people[user_id].zone)
            if part.band is Band.SLEEP
        ]
        for user_id, spans in held.items()
    }
    sleeping = [item for item in items if band_at(item.at, people[item.user_id].zone) is Band.SLEEP]
    return SchedulePages(schedule_id, _judge(items, held, people), _judge(sleeping, asleep, people))


def _judge(
    items: Sequence[Interruption],
    held: Mapping[str, Sequence[Span]],
    people: Mapping[str, Person],
) -> PagesJudgement:
    seconds = {user_id: total_seconds(spans) for user_id, spans in held.items()}
    ids = sorted(user_id for user_id in {*seconds, *(item.user_id for item in items)})
    times_of = {user_id: [item.at for item in items if item.user_id == user_id] for user_id in ids}
    size = _burst_seconds(times_of, held)
    sizes = [bursts(times_of[user_id], size) for user_id in ids]
    shares = [float(seconds.get(user_id, 0)) for user_id in ids]
    # A page just after the hand-off may be the only one of somebody without time in this band.
    shares = [share or (1.0 if times_of[key] else 0.0) for key, share in zip(ids, shares, strict=True)]
    insufficient = _insufficient(len(items), sum(share > 0 for share in shares), sum(map(len, sizes)))
    test = None if insufficient else judge_luck(shares, sizes)
    rates = [len(times_of[key]) / share for key, share in zip(ids, shares, strict=True) if share]
    return PagesJudgement(
        pages=len(items),
        bursts=sum(map(len, sizes)),
        burst_seconds=size,
        gini=gini(rates),
        p_value=None if test is None else _either(test),
        people=() if test is None else _people(ids, seconds, times_of, test, people),
        insufficient=insufficient,
    )


def _either(test: LuckTest) -> float:
    """Return the p-value of two tests in one (Bonferroni): the spread of all, and the unluckiest person.

    Many small differences show in the first, a single overloaded person among many in the second.
    """
    return min(1.0, 2 * min(test.p_value, *holm_adjusted(test.p_values)))


def _people(
    ids: Sequence[str],
    seconds: Mapping[str, int],
    times_of: Mapping[str, Sequence[int]],
    test: LuckTest,
    people: Mapping[str, Person],
) -> tuple[PersonPages, ...]:
    adjusted = holm_adjusted(test.p_values)
    return tuple(
        PersonPages(
            people[user_id],
            seconds.get(user_id, 0),
            len(times_of[user_id]),
            band.expected,
            band.low,
            band.high,
            p_value,
        )
        for user_id, band, p_value in zip(ids, test.bands, adjusted, strict=True)
    )


def _insufficient(pages: int, people: int, burst_count: int) -> str:
    if people < 2:
        return "fewer than two people were on call"
    if pages < MIN_PAGES:
        return f"{pages} pages are too few to tell chance from design; it takes {MIN_PAGES}"
    if burst_count < MIN_PAGES // 2:
        return f"all pages came in {burst_count} bursts, too few to tell chance from design"
    return ""


def _burst_seconds(times_of: Mapping[str, Sequence[int]], held: Mapping[str, Sequence[Span]]) -> int:
    """Return how far apart pages must be to fall independently.

    Bursts per day of the same person are compared: that some people have more is what the test is for.
    """
    begins_of = {user_id: burst_begins(times) for user_id, times in times_of.items()}
    groups = [
        [sum(day.start <= at < day.end for at in begins) for day in _days(held.get(user_id, ()))]
        for user_id, begins in begins_of.items()
    ]
    dispersion = pooled_dispersion(groups)
    return DAY if dispersion is not None and dispersion[1] < _OVERDISPERSED else BURST_SECONDS


def _days(spans: Sequence[Span]) -> list[Span]:
    """Cut times on call into days; nights, or what is longer than half of a day, stay whole."""
    days = [
        Span(start, min(start + DAY, span.end))
        for span in spans
        for start in range(span.start, span.end, DAY)
    ]
    longest = max((day.seconds for day in days), default=0)
    return [day for day in days if day.seconds * 2 >= longest]


def _was_on_call(item: Interruption, times: OnCallTimes, schedule_id: str) -> bool:
    spans = times.by_schedule.get(schedule_id, {}).get(item.user_id, ())
    return any(span.start <= item.at < span.end + HANDOFF_SECONDS for span in spans)
