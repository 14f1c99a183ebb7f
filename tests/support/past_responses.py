"""Incidents of a small account with the log records that PagerDuty would write, in a line or two."""

from calmo_pagerduty.snapshots.model import ContactKind, Incident, LogKind, LogRecord, Urgency
from tests.support.small_accounts import MINUTE


class PastLog:
    """Collects incidents of service V1 and policy P1 with their records. Minutes are from the trigger."""

    def __init__(self) -> None:
        self.incidents: list[Incident] = []
        self.records: list[LogRecord] = []

    def trigger(self, at: int, *people: str, resolved_after: float | None = 240.0) -> str:
        """Add an incident that is assigned at once. Returns its id."""
        incident_id = f"Q{len(self.incidents):05}"
        resolved = None if resolved_after is None else at + int(resolved_after * MINUTE)
        self.incidents.append(
            Incident(
                incident_id,
                len(self.incidents),
                f"https://example.pagerduty.com/incidents/{incident_id}",
                "V1",
                "P1",
                Urgency.HIGH,
                at,
                resolved,
                "triggered" if resolved is None else "resolved",
            )
        )
        self.add(LogKind.TRIGGER, 0)
        self.add(LogKind.ASSIGN, 0, *people)
        return incident_id

    def add(
        self,
        kind: LogKind,
        minutes: float,
        *people: str,
        by: str | None = None,
        policy_id: str | None = None,
        channel: ContactKind | None = None,
    ) -> None:
        """Add a record to the newest incident."""
        incident = self.incidents[-1]
        self.records.append(
            LogRecord(
                f"L{len(self.records):06}",
                incident.id,
                incident.created_at + round(minutes * MINUTE),
                kind,
                people,
                by,
                channel,
                policy_id,
            )
        )
