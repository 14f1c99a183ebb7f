"""The size of each measurement: full, and quick."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    ack_rates: tuple[int, ...] = (50, 200, 500)
    door_rates: tuple[int, ...] = (200, 500, 1000)
    ack_seconds: float = 6.0
    #: Pairs of slices for each shape of load; a pair has a slice of each side.
    slices: int = 7
    incidents_per_slice: int = 40
    latency_slices: int = 3
    latency_seconds: float = 6.0
    cost_incidents: int = 100
    open_incidents: int = 1_500
    storm_incidents: int = 100
    storm_history_events: int = 200
    tool_calls: int = 400
    approvals: int = 500
    warm_contexts: int = 5
    contexts_at_once: int = 50
    starts: int = 15
    crashes: int = 3
    snapshot_incidents: int = 10_000
    dashboard_issues: int = 5_000
    dashboard_visits: int = 20
    dashboard_streams: int = 300


FULL = Sizes()
QUICK = Sizes(
    ack_seconds=4.0,
    slices=5,
    latency_slices=2,
    latency_seconds=3.0,
    cost_incidents=30,
    open_incidents=500,
    storm_incidents=20,
    storm_history_events=200,
    tool_calls=200,
    approvals=200,
    warm_contexts=4,
    contexts_at_once=15,
    starts=7,
    crashes=2,
    snapshot_incidents=2_000,
    dashboard_issues=1_000,
    dashboard_visits=8,
    dashboard_streams=100,
)
