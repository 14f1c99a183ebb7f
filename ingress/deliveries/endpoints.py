"""The delivery log over REST: list, one with its body, export, refusals, replay."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.access.permissions import DELIVERIES_BODY, DELIVERIES_READ, WEBHOOKS_WRITE
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database, Transaction
from calmo_pagerduty.deliveries import queries as delivery_queries
from calmo_pagerduty.deliveries import replay_store as replays
from calmo_pagerduty.deliveries.queries import DeliveryFilter
from calmo_pagerduty.deliveries.redacted_bodies import redact_body
from calmo_pagerduty.deliveries.replay_store import ReplayBatch, ReplayOutcome
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media, NoInput
from ingress.api.finding import require
from ingress.api.pages import decode_cursor, page
from ingress.deliveries.models import (
    DeliveryExportQuery,
    DeliveryListQuery,
    DeliveryPageModel,
    DeliveryWithBody,
    RefusalListQuery,
    RefusalPageModel,
    ReplayBody,
    ReplayModel,
    delivery_model,
    delivery_with_body,
    refusal_model,
)

NOT_FOUND = ((404, "no such delivery, or it is somebody else's"),)
EXPORT_BATCH_SIZE = 500
#: One transaction replays so many, so that deliveries at the door need not wait for it.
REPLAY_BATCH_SIZE = 100
MAX_REPLAYED = 20_000
MAX_SEQ = 2**62


class DeliveryEndpoints:
    """Each sees no more than its caller may. `wake` is called when there is something to forward."""

    def __init__(self, database: Database, wake: Callable[[], None]) -> None:
        self._database = database
        self._wake = wake

    def endpoints(self) -> "list[EndpointRow]":
        return [
            Endpoint(
                "GET",
                "/api/deliveries",
                "The delivery log, newest first",
                Json(DeliveryPageModel),
                permission=DELIVERIES_READ,
                takes=DeliveryListQuery,
                handler=self.list,
            ),
            Endpoint(
                "GET",
                "/api/deliveries/export",
                "The delivery log as JSON lines, newest first",
                Media("application/x-ndjson"),
                permission=DELIVERIES_READ,
                takes=DeliveryExportQuery,
                handler=self.export,
            ),
            Endpoint(
                "POST",
                "/api/deliveries/replay",
                "Send deliveries to their issues again",
                Json(ReplayModel),
                permission=WEBHOOKS_WRITE,
                takes=ReplayBody,
                handler=self.replay,
            ),
            Endpoint(
                "GET",
                "/api/deliveries/{seq}",
                "One delivery, with its body for who may see it",
                Json(DeliveryWithBody),
                permission=DELIVERIES_READ,
                takes=NoInput,
                handler=self.show,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                "/api/refusals",
                "Deliveries that were not authenticated, newest first",
                Json(RefusalPageModel),
                permission=DELIVERIES_READ,
                takes=RefusalListQuery,
                handler=self.list_refusals,
            ),
        ]

    async def list(
        self, _request: Request, principal: Principal, query: DeliveryListQuery
    ) -> DeliveryPageModel:
        """GET /api/deliveries. Raises InvalidCursor."""
        wanted, limit, before = query.filter(), query.limit, decode_cursor(query.cursor)
        found = await self._database.read(
            lambda t: delivery_queries.list_deliveries(t, principal.visibility, wanted, limit + 1, before),
            principal.visibility,
        )
        shown, more = page(found, limit, lambda delivery: delivery.seq)
        return DeliveryPageModel(deliveries=[delivery_model(row) for row in shown], next_cursor=more)

    async def show(self, request: Request, principal: Principal, _nothing: NoInput) -> DeliveryWithBody:
        """GET /api/deliveries/{seq}. Raises ResourceNotFound."""
        text = request.path_params["seq"]
        seq = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
        may_see = not principal.permissions.isdisjoint({DELIVERIES_BODY, WEBHOOKS_WRITE})

        def read(transaction: Transaction) -> DeliveryWithBody:
            found = require(
                delivery_queries.get_delivery(transaction, principal.visibility, seq), "delivery", text
            )
            if not may_see:
                return delivery_with_body(found, None, f"this API key lacks the permission {DELIVERIES_BODY}")
            body = delivery_queries.get_body(transaction, found)
            if body is None:
                return delivery_with_body(found, None, "it was deleted after its time")
            return delivery_with_body(found, redact_body(body), None)

        return await self._database.read(read, principal.visibility)

    async def export(self, _request: Request, principal: Principal, query: DeliveryExportQuery) -> Response:
        """GET /api/deliveries/export, a page of the database at a time."""
        lines = self._lines(principal, query.filter(), MAX_SEQ)
        # The first page is read before the answer begins: a database that is away is said with 503.
        first = await anext(lines, "")
        return StreamingResponse(_prepend(first, lines), media_type="application/x-ndjson")

    async def _lines(self, principal: Principal, wanted: DeliveryFilter, before: int) -> AsyncIterator[str]:
        while True:
            found = await self._database.read(
                _read_page(principal, wanted, before),
                principal.visibility,
            )
            if not found:
                return
            yield "".join(f"{delivery_model(delivery).model_dump_json()}\n" for delivery in found)
            before = found[-1].seq

    async def list_refusals(
        self, _request: Request, principal: Principal, query: RefusalListQuery
    ) -> RefusalPageModel:
        """GET /api/refusals. Raises InvalidCursor."""
        wanted, limit, before = query.filter(), query.limit, decode_cursor(query.cursor)
        found = await self._database.read(
            lambda t: delivery_queries.list_refusals(t, principal.visibility, wanted, limit + 1, before),
            principal.visibility,
        )
        shown, more = page(found, limit, lambda refusal: refusal.id)
        return RefusalPageModel(refusals=[refusal_model(row) for row in shown], next_cursor=more)

    async def replay(self, _request: Request, principal: Principal, body: ReplayBody) -> ReplayModel:
        """POST /api/deliveries/replay: again and again without harm; what has arrived changes nothing."""
        wanted = body.filter()
        counts: Counter[str] = Counter()
        last, more = body.after, not wanted.is_empty
        while more and counts.total() < MAX_REPLAYED:
            step = await self._database.write(_replay_step(principal, wanted, last))
            counts.update(step.outcomes.values())
            last = max(step.outcomes, default=last)
            more = len(step.outcomes) == REPLAY_BATCH_SIZE
            self._wake()
        replayed = counts.pop(ReplayOutcome.REPLAYED, 0)
        return ReplayModel(replayed=replayed, left=dict(counts), last_seq=last or None, more=more)


def _read_page(
    principal: Principal, wanted: DeliveryFilter, before: int
) -> "Callable[[Transaction], tuple[delivery_queries.LoggedDelivery, ...]]":
    return lambda t: delivery_queries.list_deliveries(
        t, principal.visibility, wanted, EXPORT_BATCH_SIZE, before
    )


async def _prepend(first: str, lines: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for line in lines:
        yield line


def _replay_step(
    principal: Principal, wanted: DeliveryFilter, after: int
) -> Callable[[Transaction], ReplayBatch]:
    now = datetime.now(UTC)

    def write(transaction: Transaction) -> ReplayBatch:
        step = replays.enqueue_replay(transaction, principal.visibility, wanted, after, REPLAY_BATCH_SIZE)
        by_scope: dict[str, list[int]] = {}
        for seq, outcome in step.outcomes.items():
            if outcome is ReplayOutcome.REPLAYED:
                by_scope.setdefault(step.scopes[seq], []).append(seq)
        for scope, seqs in by_scope.items():
            record = {
                "key_id": principal.key_id,
                "requester": principal.who,
                "outcome": "deliveries replayed",
                "deliveries": len(seqs),
                "first_seq": seqs[0],
                "last_seq": seqs[-1],
            }
            audit.insert_audit_row(transaction, scope, now, record)
        return step

    return write
