"""Keep scheduled reports, and deliver them to a connection's address."""

import json
import secrets
from datetime import UTC, datetime

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.access.persons import NO_PERSONS
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import CannotDecrypt, Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.performance.report import DAY, InvalidPeriod
from calmo_pagerduty.reports import store
from calmo_pagerduty.reports.delivery_rules import Outcome, checked_address, outcome_of, signed_headers
from calmo_pagerduty.reports.model import MadeReport, ReportKind
from calmo_pagerduty.reports.outgoing_client import send_delivery
from calmo_pagerduty.reports.rendering import report_document, report_markdown
from calmo_pagerduty.reports.service import Reader, ReportOrder, ReportService
from calmo_pagerduty.reports.store import ReportAddress, address_cell
from calmo_pagerduty.snapshots.service import SnapshotNotFound

#: Scheduled reports name no persons: whoever keeps the address reads them.
SCHEDULER = "Calmo's schedule"


class ReportToMake(FrozenModel):
    """The order of a scheduled report that ends at `until` (UTC). The id makes it once."""

    report_id: str
    connection_id: str
    kind: ReportKind
    until: datetime
    #: How long before `until` the report begins; None is as usual for the kind.
    days: int | None = None


class ReportKept(FrozenModel):
    """No text leaves the database. `is_addressed`: it is to be delivered."""

    report_id: str
    is_kept: bool
    is_addressed: bool = False


class ReportToDeliver(FrozenModel):
    report_id: str
    connection_id: str
    attempt: int


class ReportDelivered(FrozenModel):
    outcome: Outcome
    status: int | None = None


class ReportDeliveryService:
    """Every method raises StoreUnavailable. `to_this_machine`: an address may be this machine's."""

    def __init__(
        self, database: Database, keyring: Keyring, reports: ReportService, to_this_machine: bool
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._reports = reports
        self._to_this_machine = to_this_machine

    async def set_address(self, principal: Principal, connection: Connection, url: str) -> str:
        """Have reports sent to an address, and return the new secret, which is shown once. Audited, without
        the address' query. Raises AddressRefused.
        """
        secret = secrets.token_hex(32)
        cell = address_cell(str(connection.scope), connection.id)
        address = ReportAddress(
            connection.id,
            checked_address(url, self._to_this_machine),
            self._keyring.seal(secret.encode(), cell),
            principal.who,
            datetime.now(UTC),
        )

        def write(tx: Transaction) -> None:
            store.upsert_address(tx, address)
            _audit(tx, principal, connection, "report address set")

        await self._database.write(write, seen_by=principal.visibility)
        return secret

    async def remove_address(self, principal: Principal, connection: Connection) -> bool:
        """Send no more reports. False if there was no address."""

        def write(tx: Transaction) -> bool:
            is_removed = store.delete_address(tx, connection.id)
            if is_removed:
                _audit(tx, principal, connection, "report address removed")
            return is_removed

        return await self._database.write(write, seen_by=principal.visibility)

    async def keep(self, order: ReportToMake) -> ReportKept:
        """Make a scheduled report and keep it, once. Raises SnapshotUnreadable."""
        reader = Reader(SCHEDULER, EVERYTHING, NO_PERSONS)
        seconds = None if order.days is None else order.days * DAY
        asked = ReportOrder(order.kind, until=int(order.until.timestamp()), seconds=seconds)
        try:
            made = await self._reports.make(reader, order.connection_id, asked)
        except (SnapshotNotFound, InvalidPeriod):
            made = None
        if made is None:
            return ReportKept(report_id=order.report_id, is_kept=False)
        return await self._keep(order.report_id, made)

    async def _keep(self, report_id: str, made: MadeReport) -> ReportKept:
        def write(tx: Transaction) -> ReportKept:
            store.insert_report(tx, report_id, made)
            is_addressed = store.get_address(tx, made.connection_id) is not None
            return ReportKept(report_id=report_id, is_kept=True, is_addressed=is_addressed)

        return await self._database.write(write)

    async def deliver(self, order: ReportToDeliver) -> ReportDelivered:
        """Send a kept report to the connection's address, and log the attempt."""

        def read(tx: Transaction) -> tuple[MadeReport | None, ReportAddress | None, Connection | None]:
            return (
                store.get_report(tx, order.report_id),
                store.get_address(tx, order.connection_id),
                connections.get_connection(tx, EVERYTHING, order.connection_id),
            )

        made, address, connection = await self._database.read(read)
        if made is None or address is None or connection is None:
            return ReportDelivered(outcome=Outcome.FAILED)
        status, reason, outcome = None, "its secret can't be opened with the keys of now", Outcome.FAILED
        secret = self._secret(connection, address)
        if secret is not None:
            body = _body(made)
            headers = signed_headers(secret, order.report_id, int(datetime.now(UTC).timestamp()), body)
            status, reason = await send_delivery(address.url, headers, body, self._to_this_machine)
            outcome = outcome_of(status, order.attempt)
        at = datetime.now(UTC)
        await self._database.write(
            lambda tx: store.insert_delivery(
                tx, order.report_id, order.connection_id, order.attempt, at, outcome, status, reason
            )
        )
        return ReportDelivered(outcome=outcome, status=status)

    def _secret(self, connection: Connection, address: ReportAddress) -> str | None:
        try:
            cell = address_cell(str(connection.scope), connection.id)
            return self._keyring.open(address.sealed, cell).decode()
        except CannotDecrypt:
            return None


def _body(made: MadeReport) -> bytes:
    """Return what is sent: the report as JSON without its plots, and as Markdown."""
    document = report_document(made)
    sections = [{**section, "figures": []} for section in document["sections"]]
    return json.dumps(
        {"report": {**document, "sections": sections}, "markdown": report_markdown(made)}, ensure_ascii=False
    ).encode()


def _audit(tx: Transaction, principal: Principal, connection: Connection, outcome: str) -> None:
    record = {"connection_id": connection.id, "key_id": principal.key_id, "outcome": outcome}
    audit.insert_audit_row(tx, str(connection.scope), datetime.now(UTC), record)
