"""Metrics for operators. Labels hold no ids and no personal data."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_CONTEXT_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 45.0, 90.0, 180.0, 600.0)
_CONTEXT_REQUESTS = (0, 5, 10, 15, 20, 40, 60, 100, 200)
_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """One registry per process, served at /metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.deliveries = Counter(
            "calmo_deliveries", "Deliveries received, by verdict.", ["verdict"], registry=self.registry
        )
        self.answer_seconds = Histogram(
            "calmo_answer_seconds", "Time to answer a delivery.", registry=self.registry, buckets=_BUCKETS
        )
        self.alarms = Counter(
            "calmo_alarms",
            "Problems that a person should look at, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self.signals = Counter(
            "calmo_signals", "Signals sent to workflows, by result.", ["result"], registry=self.registry
        )
        self.forwarded = Counter(
            "calmo_events_forwarded", "Events sent to workflows in signals.", registry=self.registry
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
            "calmo_forwarder_leading",
            "1 if this process forwards, 0 if it stands by.",
            registry=self.registry,
        )
        self.reconciled = Counter(
            "calmo_reconciled",
            "Differences that reconciliations found and fixed, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self.reconciled_age = Gauge(
            "calmo_reconciled_age_seconds",
            "How long ago the connection that waits longest was compared with PagerDuty.",
            registry=self.registry,
        )
        self.findings = Gauge(
            "calmo_findings",
            "Findings in the inbox, by analysis, state and severity.",
            ["analysis", "state", "severity"],
            registry=self.registry,
        )
        self.contexts = Counter(
            "calmo_contexts", "Finished contexts, by state.", ["state"], registry=self.registry
        )
        self.context_seconds = Histogram(
            "calmo_context_seconds",
            "Time to gather and assess a context.",
            registry=self.registry,
            buckets=_CONTEXT_SECONDS,
        )
        self.context_requests = Histogram(
            "calmo_context_requests",
            "Requests to PagerDuty per context.",
            registry=self.registry,
            buckets=_CONTEXT_REQUESTS,
        )
        self.sources_lacking = Counter(
            "calmo_context_sources_lacking",
            "Context sources that were incomplete, by source and state.",
            ["source", "state"],
            registry=self.registry,
        )
