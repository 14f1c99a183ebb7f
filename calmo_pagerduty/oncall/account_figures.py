"""The plots on an account's page: who is on call, and where nobody is. Pure."""

from calmo_pagerduty.coverage.lanes import policy_lanes, schedule_lanes
from calmo_pagerduty.coverage.report import ReportOptions, coverage_report
from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.oncall.finding_texts import zone_of
from calmo_pagerduty.plots.lanes import lanes_figure
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.snapshots.on_call import OnCallIndex

POLICY_DAYS, SCHEDULE_DAYS = 30, 7
#: A page shows so many lanes: those with the most expected dropped incidents. The plots' own pages show all.
MAX_LANES = 40


def account_figures(snapshot: AccountSnapshot, now: int, time_zone: str) -> tuple[Figure, ...]:
    """Return the policies' lanes for a month and the schedules' grid for a week, from `now` on."""
    index, zone = OnCallIndex(snapshot), zone_of(time_zone)
    month = coverage_report(snapshot, now, ReportOptions(days=POLICY_DAYS))
    week = coverage_report(snapshot, now, ReportOptions(days=SCHEDULE_DAYS))
    policies = policy_lanes(Timelines(index, month.window), month)[:MAX_LANES]
    schedules = schedule_lanes(Timelines(index, week.window), week)[:MAX_LANES]
    title = f"Escalation policies, {POLICY_DAYS} days"
    return (
        lanes_figure("policies", title, month.window, zone, policies, now),
        lanes_figure("schedules", f"Schedules, {SCHEDULE_DAYS} days", week.window, zone, schedules, now),
    )
