"""Holds drills step by step: prepare, file calls, watch the log, judge. Each step may safely run again."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.proofs import InvalidProof, ProofKeys
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.service import PagerDutyClients
from calmo_pagerduty.connections.store import Connection, ConnectionRemoved
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.drill_keys import KEY_PREFIX
from calmo_pagerduty.escalation import drill_store as drills
from calmo_pagerduty.escalation.drill import (
    TITLE,
    DrillState,
    DrillStep,
    Observed,
    drill_result,
    judge_drill,
    report_document,
)
from calmo_pagerduty.escalation.drill_store import Drill
from calmo_pagerduty.findings.service import record_results
from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.kernel.json_values import as_objects
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.client import PagerDutyClient
from calmo_pagerduty.pagerduty.errors import NotFound
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListRequest, Method, Paging
from calmo_pagerduty.snapshots.incident_parsing import parse_log_record
from calmo_pagerduty.snapshots.model import LogKind, LogRecord
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotReader, SnapshotUnreadable
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.proofs import drill_claims
from calmo_pagerduty.tool_calls.record_service import (
    CallToCreate,
    NotFiled,
    ToolCallRepository,
    ToolCallTicket,
)
from calmo_pagerduty.tool_calls.store import ToolCall
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.permissions import PrincipalRights, judge

#: After this, beyond the watching, an open drill is ended.
GRACE = timedelta(minutes=5)
PERMIT_TIMEOUT = timedelta(seconds=30)
MAX_RECORDS = 300
CREATE, UPDATE, RESOLVE = "create_incident", "update_incident", "resolve_incident"


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
        refusal, key_id = await self._database.read(lambda tx: _refusal(tx, order, now))
        refusal = refusal or self._origin_refusal(order, now)
        try:
            snapshot = await self._snapshots.get(EVERYTHING, order.connection_id)
            if not refusal and order.service_id not in {service.id for service in snapshot.services}:
                refusal = "the newest snapshot doesn't have the service"
        except (SnapshotNotFound, SnapshotUnreadable) as error:
            refusal = refusal or str(error)
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
        return await self._file(stored, DrillStep.OPEN)

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
            call = _call_of_step(tx, drill, DrillStep.OPEN)
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
        incident = await self._incident(client, drill)
        if incident is None:
            return Sighting(is_open=None)
        incident_id, now = str(incident["id"]), datetime.now(UTC)
        if drill.incident_id is None:
            opened_at = parse_instant(incident.get("created_at")) or now
            await self._database.write(
                lambda tx: drills.mark_drill_opened(tx, drill.id, incident_id, opened_at, now + GRACE)
            )
        records = await _read_log(client, incident_id)
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
        now = datetime.now(UTC)
        if drill.incident_id is None or drill.opened_at is None:
            state = DrillState.DONE if order.is_resolved else DrillState.UNRESOLVED
            report = {"refusal": "the incident was not opened"}
            await self._database.write(
                lambda tx: drills.mark_drill_finished(tx, drill.id, state, now, report)
            )
            return FinishedDrill(drill_id=drill.id, state=state)
        records = await _read_log(await self._client(drill), drill.incident_id)
        # The newest snapshot of before the drill: what was known when it began.
        snapshot = await self._snapshots.get(EVERYTHING, drill.connection_id, drill.opened_at)
        index = OnCallIndex(snapshot)
        judged = judge_drill(index, drill.service_id, _observed(drill, records))
        result = drill_result(
            index, drill.id, drill.service_id, judged, int(now.timestamp()), order.is_resolved
        )
        state = DrillState.DONE if order.is_resolved else DrillState.UNRESOLVED

        def write(tx: Transaction) -> None:
            record_results(tx, drill.connection_id, (result,), now)
            drills.mark_drill_finished(tx, drill.id, state, now, report_document(drill.id, judged))

        await self._database.write(write)
        return FinishedDrill(drill_id=drill.id, state=state, differences=len(judged.differences))

    async def _file(self, drill: Drill, step: DrillStep) -> BegunDrill:
        tool, arguments = _call_of(drill, step)
        order = CallToCreate(
            key_id=drill.key_id,
            connection_id=drill.connection_id,
            tool=tool,
            arguments=arguments,
            idempotency_key=_idempotency_key(drill.id, step),
        )
        if step in {DrillStep.ESCALATE, DrillStep.ACKNOWLEDGE}:
            needs = await self._database.read(lambda tx: _needs_approval(tx, drill, tool, datetime.now(UTC)))
            if needs:
                return BegunDrill(refusal=needs)
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

    async def _incident(self, client: PagerDutyClient, drill: Drill) -> JsonObject | None:
        if drill.incident_id is not None:
            try:
                answer = await client.send(_get(f"/incidents/{drill.incident_id}"))
            except NotFound:
                return None
            incident = answer.get("incident")
            return incident if isinstance(incident, dict) and incident.get("id") else None
        query = (
            ("incident_key", drill.incident_key),
            ("date_range", "all"),
            ("service_ids[]", drill.service_id),
            *(("statuses[]", status) for status in ("triggered", "acknowledged", "resolved")),
        )
        answer = await client.send(_get("/incidents", *query))
        found = (item for item in as_objects(answer.get("incidents")) if item.get("id"))
        return next((item for item in found if item.get("incident_key") == drill.incident_key), None)


def _refusal(tx: Transaction, order: DrillToBegin, now: datetime) -> tuple[str, str]:
    """Return why the drill may not be held ("" if it may), and the key whose rights it has."""
    named = drills.get_drill_service(tx, order.connection_id, order.service_id)
    if named is None:
        return "the service was not named for drills", order.key_id or ""
    key_id = order.key_id or named.key_id
    connection = connections.get_connection(tx, EVERYTHING, order.connection_id)
    caller = api_keys.get_principal(tx, key_id, now)
    visible = connection and caller and caller.visibility.admits(connection.scope)
    if connection is None or caller is None or caller.is_service or not visible:
        return "the connection or the API key is gone", key_id
    rights = PrincipalRights(caller.permissions, caller.teams)
    # A drill must be able to end by itself, at any hour.
    judgement = judge(TOOLS[RESOLVE], rights, connection.rules, connection.facts)
    if not judgement.allowed or judgement.needs_approval:
        why = judgement.words if not judgement.allowed else "it needs an approval"
        return (
            f"a drill must be able to resolve its incident by itself, and {RESOLVE} is not free: {why}",
            key_id,
        )
    return "", key_id


def _needs_approval(tx: Transaction, drill: Drill, tool: str, now: datetime) -> str:
    connection: Connection | None = connections.get_connection(tx, EVERYTHING, drill.connection_id)
    caller = api_keys.get_principal(tx, drill.key_id, now)
    if connection is None or caller is None:
        return "the connection or the API key is gone"
    rights = PrincipalRights(caller.permissions, caller.teams)
    judgement = judge(TOOLS[tool], rights, connection.rules, connection.facts)
    if not judgement.allowed:
        return judgement.words
    return f"{tool} needs an approval" if judgement.needs_approval else ""


def _insert(tx: Transaction, drill: Drill) -> Drill:
    drills.insert_drill(tx, drill)
    return _require(tx, drill.id)


def _require(tx: Transaction, drill_id: str) -> Drill:
    drill = drills.get_drill(tx, drill_id)
    if drill is None:
        raise ConnectionRemoved("the drill was deleted with its connection")
    return drill


def _call_of(drill: Drill, step: DrillStep) -> tuple[str, Mapping[str, Any]]:
    if step is DrillStep.OPEN:
        return CREATE, {
            "title": TITLE,
            "service_id": drill.service_id,
            "incident_key": drill.incident_key,
            "details": f"Drill {drill.id}. It ends by itself within"
            f" {(drill.watch_seconds + int(GRACE.total_seconds())) // 60} minutes.",
        }
    incident = {"incident_id": drill.incident_id}
    if step is DrillStep.ESCALATE:
        return UPDATE, {**incident, "escalation_level": 2}
    if step is DrillStep.ACKNOWLEDGE:
        return UPDATE, {**incident, "status": "acknowledged"}
    return RESOLVE, {**incident, "resolution": "The drill is over."}


def _idempotency_key(drill_id: str, step: DrillStep) -> str:
    return f"drill:{drill_id}:{step}"


def _call_of_step(tx: Transaction, drill: Drill, step: DrillStep) -> ToolCall | None:
    key = _idempotency_key(drill.id, step)
    return tool_calls.get_repeated_call(tx, drill.connection_id, (drill.key_id,), key)


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


async def _read_log(client: PagerDutyClient, incident_id: str) -> tuple[LogRecord, ...]:
    request = _get(f"/incidents/{incident_id}/log_entries", ("include[]", "channels"))
    listing = ListRequest(request=request, items="log_entries", paging=Paging.CLASSIC, at_most=MAX_RECORDS)
    items = [item async for page in client.pages(listing) for item in page.items]
    subject = {"incident": {"id": incident_id, "type": "incident_reference"}}
    records = (parse_log_record({**item, **subject}) for item in items)
    return tuple(sorted((r for r in records if r is not None), key=lambda record: (record.at, record.id)))


def _get(path: str, *query: tuple[str, str]) -> ApiRequest:
    return ApiRequest(method=Method.GET, path=path, query=query)
