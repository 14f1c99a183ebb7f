"""The sections of reports, and which kind has which. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from calmo_pagerduty.findings.lifecycle import severity_rank
from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.local_bands import local_date, split_into_days
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.performance.document import performance_document
from calmo_pagerduty.performance.measured import UTC_ZONE, measured_incidents
from calmo_pagerduty.performance.pictures import performance_figure
from calmo_pagerduty.performance.report import performance_of
from calmo_pagerduty.performance.speed import Milestone
from calmo_pagerduty.performance.texts import TABLES
from calmo_pagerduty.plots.columns import columns_figure
from calmo_pagerduty.plots.model import CountColumn
from calmo_pagerduty.reports.model import ReportInputs, ReportKind, Section
from calmo_pagerduty.trends.document import CAPACITY_DEFINITIONS, TREND_DEFINITIONS
from calmo_pagerduty.trends.texts import BURDEN_COLUMNS, CAPACITY_COLUMNS, TREND_COLUMNS, Columns
from calmo_pagerduty.workload.tables import ReportTable

MAX_FINDINGS = 50
#: Two times of an acknowledgement agree if they are at most so many seconds apart.
AGREES_WITHIN_SECONDS = 60

MakeSection = Callable[[ReportInputs], Section]


def days_section(inputs: ReportInputs) -> Section:
    """Incidents by day, in the account's zone."""
    zone = time_zone(inputs.snapshot.time_zone) or UTC_ZONE
    counts: Counter[object] = Counter()
    window = inputs.question.window
    for row in measured_incidents(inputs.snapshot, inputs.now):
        at = row.incident.created_at
        if window.start <= at < window.end and inputs.question.scope.holds(row):
            counts[local_date(at, zone)] += 1
    days = [(day.date, counts[day.date]) for day in split_into_days(window, zone)]
    columns = [CountColumn(f"{day:%m-%d}", count) for day, count in days]
    rows = tuple((f"{day:%Y-%m-%d %a}", count) for day, count in days)
    table = ReportTable(f"Incidents by day ({zone.key})", ("day", "incidents"), rows)
    return Section((table,), (columns_figure("days", "Incidents by day", "incidents", columns),))


def performance_section(inputs: ReportInputs) -> Section:
    """How fast incidents are acknowledged and resolved, and what became of them."""
    document = performance_document(performance_of(inputs.snapshot, inputs.now, inputs.question))
    groups = document["groups"]
    by = f"by {inputs.question.grouping}"
    tables = tuple(_table(f"{title}, {by}", columns, groups) for title, columns in TABLES.values())
    figures = tuple(performance_figure(document, milestone) for milestone in Milestone) if groups else ()
    words = tuple((row["word"], row["meaning"]) for row in document["definitions"])
    return Section(tables, figures, words, (document["problem"],) if document["problem"] else ())


def trends_section(inputs: ReportInputs) -> Section:
    """Whether services' incidents come more often, as the newest analysis says."""
    rows = _result_rows(inputs, "trends", "services")
    words = tuple((word, TREND_DEFINITIONS[word]) for word in ("per week", "trend", "no trend"))
    return Section((_table("Trends of services", TREND_COLUMNS, rows),), definitions=words)


def capacity_section(inputs: ReportInputs) -> Section:
    """Incidents per shift, beside the limit, as the newest analysis says."""
    tables = (
        _table("Escalation policies", CAPACITY_COLUMNS, _result_rows(inputs, "capacity", "policies")),
        _table("Teams", BURDEN_COLUMNS, _result_rows(inputs, "capacity", "teams")),
    )
    words = ("incidents per shift", "people needed", "limit reached", "engaged hours")
    return Section(tables, definitions=tuple((word, CAPACITY_DEFINITIONS[word]) for word in words))


def findings_section(inputs: ReportInputs) -> Section:
    """What is wrong now, the worst first."""
    ranked = sorted(inputs.findings, key=lambda item: (severity_rank(item.finding.severity), item.id))
    rows = tuple(
        (item.id, str(item.finding.severity), item.finding.title, item.finding.recommendation)
        for item in ranked[:MAX_FINDINGS]
    )
    left = len(ranked) - len(rows)
    note = f"and {left} more" if left > 0 else ""
    return Section((ReportTable("Open findings", ("id", "severity", "finding", "do"), rows, note),))


def webhooks_section(inputs: ReportInputs) -> Section:
    """What PagerDuty's API says of incidents beside what its webhooks told Calmo."""
    window = inputs.question.window
    known = {
        row.incident.id: row
        for row in measured_incidents(inputs.snapshot, inputs.now)
        if window.start <= row.incident.created_at < window.end and inputs.question.scope.holds(row)
    }
    everything = {incident.id for incident in inputs.snapshot.incidents}
    seen = {item.incident_id: item for item in inputs.seen}
    both = sorted(known.keys() & seen.keys())
    apart = []
    for id in both:
        measures, told = known[id].measures, seen[id]
        said = None if measures is None else measures.seconds_to_first_ack
        if said is not None and told.acknowledged_at is not None:
            apart.append((abs(told.acknowledged_at - told.created_at - said), id))
    differing = sorted((item for item in apart if item[0] > AGREES_WITHIN_SECONDS), reverse=True)
    rows: list[tuple[str, int | str | None]] = [
        ("Incidents by the API", len(known)),
        ("of these, told by webhooks too", len(both)),
        ("told by webhooks, and not by the API", len(seen.keys() - everything)),
        ("with an acknowledgement by both", len(apart)),
        ("whose times agree within a minute", len(apart) - len(differing)),
        ("median difference", format_duration(median(gap for gap, _ in apart)) if apart else None),
        ("actions taken through Calmo", sum(seen[id].actions for id in both)),
    ]
    tables = [ReportTable("The API and the webhooks", ("figure", "value"), tuple(rows))]
    if differing:
        worst = tuple((id, format_duration(gap)) for gap, id in differing[:10])
        tables.append(ReportTable("Acknowledgements that differ", ("incident", "difference"), worst))
    words = (
        "told by webhooks",
        "Calmo has an issue of the incident, whose timeline rests on PagerDuty's webhooks and log. Its first"
        " acknowledgement is compared with that of the API.",
    )
    return Section(tuple(tables), definitions=(words,))


#: Which sections a report has, in order. A test holds it to the kinds.
SECTIONS: Mapping[ReportKind, tuple[MakeSection, ...]] = {
    ReportKind.WEEKLY_OPERATIONS: (days_section, performance_section, webhooks_section, findings_section),
    ReportKind.SERVICE_REVIEW: (days_section, performance_section, trends_section, findings_section),
    ReportKind.ON_CALL_REVIEW: (performance_section, capacity_section, findings_section),
    ReportKind.RESPONSE_EFFECTIVENESS: (performance_section, webhooks_section),
}


def make_sections(kind: ReportKind, inputs: ReportInputs) -> tuple[Section, ...]:
    """Return a report's sections. The same inputs give the same sections."""
    return tuple(make(inputs) for make in SECTIONS[kind])


def _result_rows(inputs: ReportInputs, analysis: str, part: str) -> Sequence[JsonObject]:
    for result in inputs.results:
        if result.analysis == analysis:
            rows: Sequence[JsonObject] = result.metrics.get(part, ())
            return rows
    return ()


def _table(title: str, columns: Columns, rows: Sequence[JsonObject]) -> ReportTable:
    headings = tuple(heading for heading, _ in columns)
    return ReportTable(title, headings, tuple(tuple(text(row) for _, text in columns) for row in rows))
