"""REST endpoints that list, show, export and replay deliveries, and list refusals."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.access.permissions import DELIVERIES_BODY, DELIVERIES_READ, WEBHOOKS_WRITE
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries import queries as delivery_queries, replay_store as replays
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

NOT_FOUND = ((404, "there is no such delivery, or this API key may not see it"),)
EXPORT_BATCH_SIZE = 500
#: At most this many deliveries per transaction, so that the receiver's writes need not wait long.
REPLAY_BATCH_SIZE = 100
MAX_REPLAYED = 20_000
MAX_SEQ = 2**62


class DeliveryEndpoints:
    """Endpoints for deliveries and refusals. A replay calls `wake`, so that the forwarder reads at once."""

    def __init__(self, database: Database, wake: Callable[[], None]) -> None:
        self._database = database
        self._wake = wake

    def endpoints(self) -> "list[EndpointRow]":
        return [
            Endpoint(
                "GET",
                "/api/deliveries",
                "List deliveries, newest first",
                Json(DeliveryPageModel),
                permission=DELIVERIES_READ,
                takes=DeliveryListQuery,
                handler=self.list,
            ),
            Endpoint(
                "GET",
                "/api/deliveries/export",
                "Export deliveries as JSON lines, newest first",
                Media("application/x-ndjson"),
                permission=DELIVERIES_READ,
                takes=DeliveryExportQuery,
                handler=self.export,
            ),
            Endpoint(
                "POST",
                "/api/deliveries/replay",
                "Replay deliveries",
                Json(ReplayModel),
                permission=WEBHOOKS_WRITE,
                takes=ReplayBody,
                handler=self.replay,
            ),
            Endpoint(
                "GET",
                "/api/deliveries/{seq}",
                "Show a delivery, with its body if the key may read it",
                Json(DeliveryWithBody),
                permission=DELIVERIES_READ,
                takes=NoInput,
                handler=self.show,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                "/api/refusals",
                "List refusals, newest first",
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
        delivery_filter, limit, before = query.filter(), query.limit, decode_cursor(query.cursor)
        rows = await self._database.read(
            lambda t: delivery_queries.list_deliveries(
                t, principal.visibility, delivery_filter, limit + 1, before
            ),
            principal.visibility,
        )
        page_rows, next_cursor = page(rows, limit, lambda delivery: delivery.seq)
        return DeliveryPageModel(
            deliveries=[delivery_model(row) for row in page_rows], next_cursor=next_cursor
        )

    async def show(self, request: Request, principal: Principal, _nothing: NoInput) -> DeliveryWithBody:
        """GET /api/deliveries/{seq}. Raises ResourceNotFound."""
        text = request.path_params["seq"]
        seq = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
        may_read_body = not principal.permissions.isdisjoint({DELIVERIES_BODY, WEBHOOKS_WRITE})

        def read(transaction: Transaction) -> DeliveryWithBody:
            delivery = require(
                delivery_queries.get_delivery(transaction, principal.visibility, seq), "delivery", text
            )
            if not may_read_body:
                return delivery_with_body(
                    delivery, None, f"this API key lacks the permission {DELIVERIES_BODY}"
                )
            body = delivery_queries.get_body(transaction, delivery)
            if body is None:
                return delivery_with_body(
                    delivery, None, "the body was deleted when its retention time had passed"
                )
            return delivery_with_body(delivery, redact_body(body), None)

        return await self._database.read(read, principal.visibility)

    async def export(self, _request: Request, principal: Principal, query: DeliveryExportQuery) -> Response:
        """GET /api/deliveries/export, read from the database in batches."""
        lines = self._lines(principal, query.filter(), MAX_SEQ)
        # Read the first batch before the answer starts, so that an unreachable database is answered with 503.
        first = await anext(lines, "")
        return StreamingResponse(_prepend(first, lines), media_type="application/x-ndjson")

    async def _lines(
        self, principal: Principal, delivery_filter: DeliveryFilter, before: int
    ) -> AsyncIterator[str]:
        while True:
            batch = await self._database.read(
                _read_page(principal, delivery_filter, before),
                principal.visibility,
            )
            if not batch:
                return
            yield "".join(f"{delivery_model(delivery).model_dump_json()}\n" for delivery in batch)
            before = batch[-1].seq

    async def list_refusals(
        self, _request: Request, principal: Principal, query: RefusalListQuery
    ) -> RefusalPageModel:
        """GET /api/refusals. Raises InvalidCursor."""
        delivery_filter, limit, before = query.filter(), query.limit, decode_cursor(query.cursor)
        rows = await self._database.read(
            lambda t: delivery_queries.list_refusals(
                t, principal.visibility, delivery_filter, limit + 1, before
            ),
            principal.visibility,
        )
        page_rows, next_cursor = page(rows, limit, lambda refusal: refusal.id)
        return RefusalPageModel(refusals=[refusal_model(row) for row in page_rows], next_cursor=next_cursor)

    async def replay(self, _request: Request, principal: Principal, body: ReplayBody) -> ReplayModel:
        """POST /api/deliveries/replay. An event that is on its timeline already changes nothing."""
        delivery_filter = body.filter()
        counts: Counter[str] = Counter()
        last, more = body.after, not delivery_filter.is_empty
        while more and counts.total() < MAX_REPLAYED:
            batch = await self._database.write(
                _replay_step(principal, delivery_filter, last), seen_by=principal.visibility
            )
            counts.update(batch.outcomes.values())
            last = max(batch.outcomes, default=last)
            more = len(batch.outcomes) == REPLAY_BATCH_SIZE
            self._wake()
        replayed = counts.pop(ReplayOutcome.REPLAYED, 0)
        return ReplayModel(replayed=replayed, left=dict(counts), last_seq=last or None, more=more)


def _read_page(
    principal: Principal, delivery_filter: DeliveryFilter, before: int
) -> "Callable[[Transaction], tuple[delivery_queries.LoggedDelivery, ...]]":
    return lambda t: delivery_queries.list_deliveries(
        t, principal.visibility, delivery_filter, EXPORT_BATCH_SIZE, before
    )


async def _prepend(first: str, lines: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for line in lines:
        yield line


def _replay_step(
    principal: Principal, delivery_filter: DeliveryFilter, after: int
) -> Callable[[Transaction], ReplayBatch]:
    now = datetime.now(UTC)

    def write(transaction: Transaction) -> ReplayBatch:
        batch = replays.enqueue_replay(
            transaction, principal.visibility, delivery_filter, after, REPLAY_BATCH_SIZE
        )
        by_scope: dict[str, list[int]] = {}
        for seq, outcome in batch.outcomes.items():
            if outcome is ReplayOutcome.REPLAYED:
                by_scope.setdefault(batch.scopes[seq], []).append(seq)
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
        return batch

    return write
