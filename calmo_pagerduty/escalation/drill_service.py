"""Holds drills step by step: prepare, file calls, watch the log, judge. Each step may safely run again."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.access.proofs import InvalidProof, ProofKeys
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.service import PagerDutyClients
from calmo_pagerduty.connections.store import ConnectionRemoved
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.drill_keys import KEY_PREFIX
from calmo_pagerduty.escalation import drill_gate_service as gate, drill_store as drills
from calmo_pagerduty.escalation.drill import (
    GRACE_SECONDS,
    DrillState,
    DrillStep,
    Observed,
    drill_result,
    judge_drill,
    report_document,
)
from calmo_pagerduty.escalation.drill_log_client import read_incident, read_log
from calmo_pagerduty.escalation.drill_store import Drill
from calmo_pagerduty.findings.service import record_results
from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.client import PagerDutyClient
from calmo_pagerduty.snapshots.model import LogKind, LogRecord
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotReader, SnapshotUnreadable
from calmo_pagerduty.tool_calls.proofs import drill_claims
from calmo_pagerduty.tool_calls.record_service import (
    CallToCreate,
    NotFiled,
    ToolCallRepository,
    ToolCallTicket,
)

GRACE = timedelta(seconds=GRACE_SECONDS)
PERMIT_TIMEOUT = timedelta(seconds=30)
NOT_OPENED = "the incident was not opened"


class DrillToBegin(FrozenModel):
    """A drill that is asked for. `key_id` None: the key of who named the service.

    A drill that names a key has a `proof`, made by our API for exactly this drill.
    """

    drill_id: str
    connection_id: str
    service_id: str
    key_id: str | None = None
    watch_seconds: int = 300
    proof: str | None = None


class BegunDrill(FrozenModel):
    """The call that opens the incident, or the reason why there is none."""

    ticket: ToolCallTicket | None = None
    refusal: str = ""


class DrillRef(FrozenModel):
    drill_id: str


class DrillStepToFile(FrozenModel):
    drill_id: str
    step: DrillStep


class Sighting(FrozenModel):
    """What the incident's log shows: counts only. `is_open` is None if there is no incident."""

    is_open: bool | None
    pages: int = 0
    is_acknowledged: bool = False


class DrillToFinish(FrozenModel):
    drill_id: str
    is_resolved: bool
    is_cancelled: bool = False


class FinishedDrill(FrozenModel):
    """The drill's end: its state, and how many differences a finding names."""

    drill_id: str
    state: DrillState
    differences: int = 0


class DrillHolder:
    """The steps of a drill. Every method raises StoreUnavailable."""

    def __init__(
        self,
        database: Database,
        clients: PagerDutyClients,
        calls: ToolCallRepository,
        snapshots: SnapshotReader,
        proofs: ProofKeys,
    ) -> None:
        self._database = database
        self._clients = clients
        self._calls = calls
        self._snapshots = snapshots
        self._proofs = proofs

    async def begin(self, order: DrillToBegin) -> BegunDrill:
        """Check that the drill may be held, save it, and file the call that opens the incident."""
        now = datetime.now(UTC)
        refusal, key_id = await self.why_refused(order.connection_id, order.service_id, order.key_id)
        refusal = refusal or self._origin_refusal(order, now)
        try:
            snapshot = await self._snapshots.get(EVERYTHING, order.connection_id)
            if not refusal and order.service_id not in {service.id for service in snapshot.services}:
                refusal = "the newest snapshot doesn't have the service"
        except (SnapshotNotFound, SnapshotUnreadable) as error:
            refusal = refusal or str(error)
        refusal = refusal or await self._why_busy(order)
        drill = Drill(
            id=order.drill_id,
            connection_id=order.connection_id,
            service_id=order.service_id,
            key_id=key_id,
            state=DrillState.REFUSED if refusal else DrillState.OPENING,
            incident_key=_new_key(),
            watch_seconds=order.watch_seconds,
            asked_at=now,
            finished_at=now if refusal else None,
            report={"refusal": refusal} if refusal else None,
        )
        stored = await self._database.write(lambda tx: _insert(tx, drill))
        if refusal:
            return BegunDrill(refusal=refusal)
        begun = await self._file(stored, DrillStep.OPEN)
        if begun.ticket is None:
            await self._end(stored, DrillState.REFUSED, {"refusal": begun.refusal})
        return begun

    async def why_refused(self, connection_id: str, service_id: str, key_id: str | None) -> tuple[str, str]:
        """Return why the drill may not be held ("" if it may), and the key whose rights it has."""
        now = datetime.now(UTC)
        return await self._database.read(
            lambda tx: gate.why_refused(tx, connection_id, service_id, key_id, now)
        )

    async def _why_busy(self, order: DrillToBegin) -> str:
        """Scheduled drills have workflow ids of their own, so that the rows decide: one at a time."""
        found = await self._database.read(
            lambda tx: drills.get_open_drill(tx, order.connection_id, order.service_id)
        )
        if found is None or found.id == order.drill_id:
            return ""
        return f"the drill {found.id} is open on this service: wait for its end, or cancel it"

    def _origin_refusal(self, order: DrillToBegin, now: datetime) -> str:
        """Return why the drill may not be held in the name of its key; "" if it may."""
        if order.key_id is None:
            return ""
        claims = drill_claims(order.key_id, order.connection_id, order.service_id, order.watch_seconds)
        try:
            self._proofs.check(order.proof, claims, now)
        except InvalidProof as error:
            return f"the drill is refused: {error}"
        return ""

    async def file_step(self, order: DrillStepToFile) -> BegunDrill:
        """File the call of a step, once. A step that needs an approval is refused: nobody may be awake."""
        drill = await self._drill(order.drill_id)
        if drill.incident_id is None:
            return BegunDrill(refusal="the incident is not known")
        return await self._file(drill, order.step)

    async def mark_opened(self, order: DrillRef) -> bool:
        """Save the incident that the call created. Returns False if the call created none that we know of."""
        now = datetime.now(UTC)

        def write(tx: Transaction) -> bool:
            drill = _require(tx, order.drill_id)
            call = gate.opening_call(tx, drill)
            result = {} if call is None or call.result is None else call.result
            incident_id = result.get("id") or drill.incident_id
            if not isinstance(incident_id, str):
                return False
            opened_at = parse_instant(result.get("created_at")) or now
            deadline = now + timedelta(seconds=drill.watch_seconds) + GRACE
            drills.mark_drill_opened(tx, drill.id, incident_id, opened_at, deadline)
            return True

        return await self._database.write(write)

    async def mark_step_done(self, order: DrillStepToFile) -> None:
        now = datetime.now(UTC)
        await self._database.write(lambda tx: drills.mark_step_done(tx, order.drill_id, order.step, now))

    async def look(self, order: DrillRef) -> Sighting:
        """Look at the incident; if we don't know its id, find it by its key. Raises PagerDutyError."""
        drill = await self._drill(order.drill_id)
        client = await self._client(drill)
        incident = await read_incident(client, drill)
        if incident is None:
            return Sighting(is_open=None)
        incident_id, now = str(incident["id"]), datetime.now(UTC)
        if drill.incident_id is None:
            opened_at = parse_instant(incident.get("created_at")) or now
            await self._database.write(
                lambda tx: drills.mark_drill_opened(tx, drill.id, incident_id, opened_at, now + GRACE)
            )
        records = await read_log(client, incident_id)
        await self._save_progress(drill, records)
        status = incident.get("status")
        return Sighting(
            is_open=status != "resolved",
            pages=sum(record.kind is LogKind.NOTIFY for record in records),
            is_acknowledged=status == "acknowledged",
        )

    async def finish(self, order: DrillToFinish) -> FinishedDrill:
        """Compare what PagerDuty did with the simulation, and save both with a finding where they differ.

        Raises PagerDutyError, SnapshotNotFound.
        """
        drill = await self._drill(order.drill_id)
        if drill.finished_at is not None:  # an attempt before this one, or whoever ended a lost drill
            differences = (drill.report or {}).get("differences", ())
            return FinishedDrill(drill_id=drill.id, state=drill.state, differences=len(differences))
        is_opened = drill.incident_id is not None and drill.opened_at is not None
        state = _end_state(order, is_opened)
        if drill.incident_id is None or drill.opened_at is None:
            await self._end(drill, state, {"refusal": await self._why_not_opened(drill)})
            return FinishedDrill(drill_id=drill.id, state=state)
        now = datetime.now(UTC)
        records = await read_log(await self._client(drill), drill.incident_id)
        index = await self._index(drill.connection_id, drill.opened_at)
        judged = judge_drill(index, drill.service_id, _observed(drill, records))
        result = drill_result(
            index, drill.id, drill.service_id, judged, int(now.timestamp()), order.is_resolved
        )

        def write(tx: Transaction) -> None:
            record_results(tx, drill.connection_id, (result,), now)
            left_out = [] if order.is_cancelled else gate.steps_left_out(tx, drill, now)
            report = {**report_document(index, drill.id, judged), "notes": left_out}
            drills.mark_drill_finished(tx, drill.id, state, now, report)

        await self._database.write(write)
        return FinishedDrill(drill_id=drill.id, state=state, differences=len(judged.differences))

    async def _save_progress(self, drill: Drill, records: tuple[LogRecord, ...]) -> None:
        """Save whom PagerDuty has paged so far beside the simulation, if the log has grown."""
        seen = sum(record.kind is LogKind.NOTIFY for record in records)
        before = None if drill.report is None else drill.report.get("seen_pages")
        if drill.opened_at is None or drill.finished_at is not None or before == seen:
            return
        try:
            index = await self._index(drill.connection_id, drill.opened_at)
        except (SnapshotNotFound, SnapshotUnreadable):
            return  # the drill's end needs the snapshot and says so
        judged = judge_drill(index, drill.service_id, _observed(drill, records))
        report = report_document(index, drill.id, judged, is_final=False)
        await self._database.write(lambda tx: drills.mark_drill_progress(tx, drill.id, report))

    async def _index(self, connection_id: str, opened_at: datetime) -> OnCallIndex:
        """Return the newest snapshot of before the drill: what was known when it began."""
        return OnCallIndex(await self._snapshots.get(EVERYTHING, connection_id, opened_at))

    async def _why_not_opened(self, drill: Drill) -> str:
        call = await self._database.read(lambda tx: gate.opening_call(tx, drill))
        return NOT_OPENED if call is None else f"{NOT_OPENED}: {gate.why_not_done(call)}"

    async def _end(self, drill: Drill, state: DrillState, report: JsonObject) -> None:
        now = datetime.now(UTC)
        await self._database.write(lambda tx: drills.mark_drill_finished(tx, drill.id, state, now, report))

    async def _file(self, drill: Drill, step: DrillStep) -> BegunDrill:
        tool, arguments = gate.call_of(drill, step)
        order = CallToCreate(
            key_id=drill.key_id,
            connection_id=drill.connection_id,
            tool=tool,
            arguments=arguments,
            idempotency_key=gate.idempotency_key(drill, step),
        )
        now = datetime.now(UTC)
        left_out = await self._database.read(lambda tx: gate.why_left_out(tx, drill, step, now))
        if left_out:
            return BegunDrill(refusal=left_out)
        try:
            ticket = await self._calls.create(order)
        except NotFiled as refusal:
            return BegunDrill(refusal=str(refusal))
        return BegunDrill(ticket=ticket)

    async def _drill(self, drill_id: str) -> Drill:
        return await self._database.read(lambda tx: _require(tx, drill_id))

    async def _client(self, drill: Drill) -> PagerDutyClient:
        connection = await self._database.read(
            lambda tx: connections.get_connection(tx, EVERYTHING, drill.connection_id)
        )
        if connection is None:
            raise ConnectionRemoved("the connection was removed")
        return await self._clients.client(connection, PERMIT_TIMEOUT)


def _end_state(order: DrillToFinish, is_opened: bool) -> DrillState:
    if not order.is_resolved:
        return DrillState.UNRESOLVED
    if order.is_cancelled:
        return DrillState.CANCELLED
    return DrillState.DONE if is_opened else DrillState.REFUSED


def _insert(tx: Transaction, drill: Drill) -> Drill:
    drills.insert_drill(tx, drill)
    return _require(tx, drill.id)


def _require(tx: Transaction, drill_id: str) -> Drill:
    drill = drills.get_drill(tx, drill_id)
    if drill is None:
        raise ConnectionRemoved("the drill was deleted with its connection")
    return drill


def _new_key() -> str:
    return KEY_PREFIX + secrets.token_hex(16)


def drill_id_of(run_id: str) -> str:
    """Return the id of the drill that a workflow's run holds."""
    return f"drill_{hashlib.sha256(run_id.encode()).hexdigest()[:20]}"


def _observed(drill: Drill, records: tuple[LogRecord, ...]) -> Observed:
    """Return what the log says. All times are PagerDuty's own: its clock and ours may differ."""
    assert drill.opened_at is not None

    def first(kind: LogKind, is_ours: bool) -> int | None:
        found = (r.at for r in records if r.kind is kind and r.by_timeout is not True)
        return next(found, None) if is_ours else None

    return Observed(
        int(drill.opened_at.timestamp()),
        max((record.at for record in records), default=int(drill.opened_at.timestamp())),
        records,
        first(LogKind.ESCALATE, drill.escalated_at is not None),
        first(LogKind.ACKNOWLEDGE, drill.acknowledged_at is not None),
        drill.acknowledged_at is not None,
    )
