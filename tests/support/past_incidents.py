"""Short ways to write an account's past: incidents with their pages, and who acted."""

from dataclasses import replace

from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    ContactKind,
    Incident,
    LogKind,
    LogRecord,
    Service,
    Urgency,
)
from tests.support.snapshots import TAKEN_AT, small_snapshot

MINUTE = 60


class PastWriter:
    """Collects incidents, numbered from 1. Minutes count from `begin`, 80 days before the snapshot."""

    begin = TAKEN_AT - 80 * 86_400

    def __init__(self) -> None:
        self.incidents: list[Incident] = []
        self.records: list[LogRecord] = []

    def add(
        self,
        minute: float,
        lasts: float,
        *,
        by: str | None = None,
        kind: str | None = "k1",
        service: str = "PSHOP",
        pages: int = 1,
        acknowledged: bool = True,
        policy: str = "PPOL",
    ) -> str:
        """Add an incident; a person resolves it if `by` is given, else it resolves itself."""
        number = len(self.incidents) + 1
        id, at = f"PI{number:05}", self.begin + round(minute * MINUTE)
        end = at + round(lasts * MINUTE)
        self.incidents.append(
            Incident(
                id,
                number,
                None,
                service,
                policy,
                Urgency.HIGH,
                at,
                end,
                "resolved",
                is_auto_resolved=by is None,
                kind=kind,
            )
        )
        self.log(id, at, LogKind.TRIGGER)
        for page in range(pages):
            self.log(id, at + 61 * page, LogKind.NOTIFY, user_ids=("PADA",), channel=ContactKind.SMS)
        if by is not None and acknowledged:
            self.log(id, at + 30, LogKind.ACKNOWLEDGE, agent_id=by)
        self.log(id, end, LogKind.RESOLVE, agent_id=by)
        return id

    def log(self, incident_id: str, at: int, kind: LogKind, **fields: object) -> None:
        record = LogRecord(f"R{len(self.records):06}", incident_id, at, kind)
        self.records.append(replace(record, **fields))  # type: ignore[arg-type]  # each test names its fields

    def hand(self, id: str, minute: float, by: str, to: str, policy: str) -> None:
        """Log that a person delegated an incident to a policy, so many minutes after `begin`."""
        at = self.begin + round(minute * MINUTE)
        self.log(id, at, LogKind.DELEGATE, agent_id=by, user_ids=(to,), policy_id=policy)

    def snapshot(self, *services: Service, **fields: object) -> AccountSnapshot:
        known = services or (Service("PSHOP", "Basket", None, "active", "PPOL", ("PTEAM",)),)
        records = tuple(sorted(self.records, key=lambda record: (record.at, record.id)))
        given = {"services": known, "incidents": tuple(self.incidents), "log_records": records}
        return small_snapshot(**(given | fields))
