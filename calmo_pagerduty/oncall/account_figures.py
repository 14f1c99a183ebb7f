"""The plots on an account's page: who is on call, who can be reached, who bears how much. Pure."""

from collections.abc import Iterator, Mapping

from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.coverage.lanes import policy_lanes, schedule_lanes
from calmo_pagerduty.coverage.readiness import Cell as ReadinessCell, CellState, PersonReadiness, readiness
from calmo_pagerduty.coverage.report import ReportOptions, coverage_report
from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.oncall.finding_texts import zone_of
from calmo_pagerduty.plots.figures import cells_figure, dots_figure
from calmo_pagerduty.plots.lanes import lanes_figure
from calmo_pagerduty.plots.model import Cell, CellRow, Fill
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.snapshots.model import AccountSnapshot, ContactKind, Urgency
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from calmo_pagerduty.workload.document import workload_document
from calmo_pagerduty.workload.privacy import may_see
from calmo_pagerduty.workload.report import workload_report
from calmo_pagerduty.workload.reports import pages_plot

POLICY_DAYS, SCHEDULE_DAYS = 30, 7
#: A page shows so many lanes and people: the worst. The plots' own pages show all.
MAX_LANES = MAX_PEOPLE = 40
#: A page shows the pages of so many schedules, those with the most.
MAX_SCHEDULES = 4

CHANNELS: Mapping[ContactKind, str] = {
    ContactKind.PUSH: "push",
    ContactKind.PHONE: "phone",
    ContactKind.SMS: "SMS",
    ContactKind.WHATSAPP: "WhatsApp",
    ContactKind.EMAIL: "e-mail",
}
#: How a channel is drawn, and what stands in its cell; None: the minutes after which it is used.
CELLS: Mapping[CellState, tuple[Fill | None, str | None]] = {
    CellState.READY: (Fill.READY, None),
    CellState.TOO_LATE: (Fill.NOT_READY, "too late"),
    CellState.UNKNOWN: (Fill.UNKNOWN, "unknown"),
    CellState.DISABLED: (Fill.NOT_READY, "disabled"),
    CellState.NO_RULE: (None, "no rule"),
    CellState.ABSENT: (None, "\N{EN DASH}"),
}


def account_figures(
    snapshot: AccountSnapshot, now: int, time_zone: str, persons: PersonVisibility
) -> tuple[Figure, ...]:
    """Return the plots as the reader may see them: who is on call, is reached, and bears how much."""
    index, zone = OnCallIndex(snapshot), zone_of(time_zone)
    month = coverage_report(snapshot, now, ReportOptions(days=POLICY_DAYS))
    week = coverage_report(snapshot, now, ReportOptions(days=SCHEDULE_DAYS))
    policies = policy_lanes(Timelines(index, month.window), month)[:MAX_LANES]
    schedules = schedule_lanes(Timelines(index, week.window), week)[:MAX_LANES]
    title = f"Escalation policies, {POLICY_DAYS} days"
    return (
        lanes_figure("policies", title, month.window, zone, policies, now),
        lanes_figure("schedules", f"Schedules, {SCHEDULE_DAYS} days", week.window, zone, schedules, now),
        *_readiness_figures(snapshot, now, persons),
        *_workload_figures(snapshot, now, persons),
    )


def _readiness_figures(snapshot: AccountSnapshot, now: int, persons: PersonVisibility) -> Iterator[Figure]:
    names = {user.id: user.name for user in snapshot.users}
    seen = [person for person in readiness(snapshot, now) if persons.admits([person.user_id])]
    if not seen:
        return
    rows = [_readiness_row(person, names) for person in seen[:MAX_PEOPLE]]
    more = f", the {MAX_PEOPLE} worst of {len(seen)}" if len(seen) > MAX_PEOPLE else ""
    title = f"Who would be paged at high urgency, and after how many minutes{more}"
    yield cells_figure("readiness", title, tuple(CHANNELS.values()), rows)


def _readiness_row(person: PersonReadiness, names: Mapping[str, str]) -> CellRow:
    cells = {cell.channel: cell for cell in person.cells if cell.urgency is Urgency.HIGH}
    return CellRow(
        names[person.user_id],
        tuple(_cell(cells[channel]) for channel in CHANNELS),
        person.state.value.replace("_", " "),
    )


def _cell(cell: ReadinessCell) -> Cell:
    fill, text = CELLS[cell.state]
    return Cell(fill, f"{cell.first_minutes} min" if text is None else text)


def _workload_figures(snapshot: AccountSnapshot, now: int, persons: PersonVisibility) -> Iterator[Figure]:
    """Yield the pages of the schedules with the most, beside what chance alone would bring."""
    document = workload_document(workload_report(snapshot, now), may_see(snapshot, persons))
    paged = [
        (sum(row.value or 0 for row in rows), schedule, rows)
        for schedule in document["past"]["schedules"]
        if schedule["pages"] and (rows := pages_plot(schedule["pages"]))
    ]
    paged.sort(key=lambda item: (-item[0], item[1]["id"]))
    for _, schedule, rows in paged[:MAX_SCHEDULES]:
        title = f"{schedule['name']}: pages, and what chance alone brings"
        yield dots_figure(f"pages-{schedule['id']}", title, "pages", rows)
