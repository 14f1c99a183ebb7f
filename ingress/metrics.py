"""What operators count. Labels hold no ids and no personal data."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """One registry per process, served at /metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.deliveries = Counter(
            "calmo_deliveries", "Deliveries at the door, by verdict.", ["verdict"], registry=self.registry
        )
        self.answer_seconds = Histogram(
            "calmo_answer_seconds", "Time to answer a delivery.", registry=self.registry, buckets=_BUCKETS
        )
        self.alarms = Counter(
            "calmo_alarms", "What a person should look at, by kind.", ["kind"], registry=self.registry
        )
        self.signals = Counter(
            "calmo_signals", "Signals sent to workflows, by result.", ["result"], registry=self.registry
        )
        self.forwarded = Counter(
            "calmo_events_forwarded", "Events that signals carried.", registry=self.registry
        )
        self.sent_again = Counter(
            "calmo_events_sent_again",
            "Events forwarded again because they reached no timeline.",
            registry=self.registry,
        )
        self.unfinished = Gauge(
            "calmo_deliveries_unfinished", "Deliveries not yet on a timeline.", registry=self.registry
        )
        self.leading = Gauge(
            "calmo_forwarder_leading", "Whether this process forwards (1) or stands by (0).",
            registry=self.registry,
        )  # fmt: skip
        self.reconciled = Counter(
            "calmo_reconciled",
            "What comparisons with PagerDuty found and did, by kind.",
            ["kind"],
            registry=self.registry,
        )
