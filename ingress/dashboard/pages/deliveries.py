"""Deliveries: the log of what PagerDuty sent, a delivery with its way, replays, refusals and explanations."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

from calmo_pagerduty.access.permissions import DELIVERIES_READ, WEBHOOKS_WRITE
from calmo_pagerduty.access.saved_view_store import SavedView
from calmo_pagerduty.deliveries import queries as delivery_queries
from calmo_pagerduty.deliveries.model import RESPONSE_OF_VERDICT, DeliveryState, StoredAs, Verdict
from calmo_pagerduty.deliveries.replay_store import ReplayOutcome
from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID
from ingress.api.endpoints import NoInput
from ingress.dashboard.facets import Facet
from ingress.dashboard.looks import LOOK_OF_DELIVERY_STATE, LOOK_OF_VERDICT
from ingress.dashboard.page import Action, Ask, Content, Done, Page
from ingress.dashboard.pages.webhooks import refusal_table
from ingress.dashboard.rendering import duration
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table
from ingress.deliveries.models import (
    DeliveryListQuery,
    DeliveryModel,
    DeliveryWithBody,
    RefusalListQuery,
    ReplayBody,
    ReplayModel,
)

HERE = f"{ROOT}/deliveries"
SETS_UP = "The log of what PagerDuty sent: what became of each delivery, replays, and what was refused."
#: A download holds at most so many deliveries.
MAX_DOWNLOADED = 2000

VIEWS = (
    SavedView("All", ""),
    SavedView("On their issues", "state=applied"),
    SavedView("On their way", "state=pending&state=forwarded"),
    SavedView("Not understood", "state=dead_letter&state=conflict"),
    SavedView("Kept while paused", "state=skipped_paused"),
)

#: What a replay did, or why it did nothing, for a person.
WORDS_OF_OUTCOME: Mapping[ReplayOutcome, str] = {
    ReplayOutcome.REPLAYED: "replayed (an event that is on its timeline already changes nothing)",
    ReplayOutcome.RECORDED: "about no incident, so there is nothing to replay",
    ReplayOutcome.ON_ITS_WAY: "on the way anyway",
    ReplayOutcome.CONFLICT: "never replayed, since another body came under the same id before",
    ReplayOutcome.STILL_UNREADABLE: "still not understood",
    ReplayOutcome.BODY_GONE: "without a body, which was deleted when its retention time had passed",
    ReplayOutcome.KNOWN_ALREADY: "known already from another delivery",
}


async def show_list(ask: Ask) -> Content:
    """GET /dashboard/deliveries, with the filters of GET /api/deliveries."""
    query = ask.query(DeliveryListQuery)
    if ask.download is not None:
        return Content(tables={"deliveries": delivery_table(await _all_deliveries(ask, query))})
    page = await ask.ingress.deliveries.list(ask.request, ask.caller, query)
    counts = await ask.read(lambda t: delivery_queries.count_deliveries(t, ask.caller.visibility))
    return Content(
        {
            "facets": _facets(counts),
            "views": VIEWS,
            "next_cursor": page.next_cursor,
            "is_first": query.cursor is None,
            "is_filtered": not query.filter().is_empty,
            "filter_query": ask.request.url.query,
        },
        {"deliveries": delivery_table(page.deliveries)},
    )


async def show_delivery(ask: Ask) -> Content:
    """GET /dashboard/deliveries/{seq}, with its body if the caller may read it. Raises ResourceNotFound."""
    delivery = await ask.ingress.deliveries.show(ask.request, ask.caller, NoInput())
    has_incident = (
        delivery.incident_id is not None and INCIDENT_ID.fullmatch(delivery.incident_id) is not None
    )
    return Content(
        {
            "delivery": delivery,
            "body": None if delivery.body is None else _pretty(delivery.body),
            "way": _way(delivery),
            "answered": RESPONSE_OF_VERDICT[delivery.verdict].status,
            "can_explain": has_incident,
        },
        title=f"Delivery {delivery.seq}",
    )


async def show_refusals(ask: Ask) -> Content:
    """GET /dashboard/refusals, with the filters of GET /api/refusals."""
    query = ask.query(RefusalListQuery)
    page = await ask.ingress.deliveries.list_refusals(ask.request, ask.caller, query)
    refused = [verdict for verdict in Verdict if RESPONSE_OF_VERDICT[verdict].keep is StoredAs.REFUSAL]
    views = [SavedView("All", "")]
    views += [SavedView(LOOK_OF_VERDICT[verdict].word, f"verdict={verdict}") for verdict in refused]
    return Content(
        {"views": views, "next_cursor": page.next_cursor, "is_first": query.cursor is None},
        {"refusals": refusal_table(page.refusals)},
    )


async def show_explanation(ask: Ask) -> Content:
    """GET /dashboard/explain/{incident_id}: why an incident is an issue here, or why not."""
    explanation = await ask.ingress.explanations.show(ask.request, ask.caller, NoInput())
    return Content({"explanation": explanation}, title=f"Incident {explanation.incident_id}")


async def replay_one(ask: Ask) -> Done:
    """POST /dashboard/deliveries/{seq}/replay. Raises ValidationError."""
    seq = str(ask.request.path_params["seq"])
    body = ReplayBody.model_validate({"seqs": [seq]})
    return _replayed(f"{HERE}/{body.seqs[0]}", await _replay(ask, body))


async def replay_all(ask: Ask) -> Done:
    """POST /dashboard/deliveries/replay, with the filters of the list in the address; never without any."""
    query = ask.query(DeliveryListQuery)
    body = ReplayBody.model_validate(query.model_dump(exclude={"limit", "cursor"}))
    path = f"{HERE}?{ask.request.url.query}"
    if body.filter().is_empty:
        return Done(path, "Nothing was replayed: choose a filter first.", "failed")
    return _replayed(path, await _replay(ask, body))


def delivery_table(deliveries: Sequence[DeliveryModel]) -> Table[DeliveryModel]:
    """Return the table of deliveries."""
    return Table(
        "Deliveries",
        (
            Column(
                "Delivery", lambda delivery: f"{delivery.event_type or ''} {delivery.seq}", cell="delivery"
            ),
            Column(
                "State", lambda delivery: LOOK_OF_DELIVERY_STATE[delivery.state].word, cell="delivery_state"
            ),
            Column(
                "Verdict",
                lambda delivery: LOOK_OF_VERDICT[delivery.verdict].word,
                cell="delivery_verdict",
                is_wide_only=True,
            ),
            Column("Incident", lambda delivery: delivery.incident_id or ""),
            Column("Webhook", lambda delivery: delivery.webhook, is_wide_only=True),
            Column("Took", _took, is_figure=True, is_wide_only=True),
            Column("Received", lambda delivery: delivery.received_at.isoformat(), cell="received"),
        ),
        deliveries,
        empty="Nothing was delivered that matches. A webhook's page has a test that sends deliveries.",
    )


def _took(delivery: DeliveryModel) -> str:
    return "" if delivery.latency_ms is None else f"{delivery.latency_ms:.0f} ms"


def _way(delivery: DeliveryWithBody) -> Sequence[tuple[str, object, str]]:
    """Return the stations of a delivery with their times (UTC), and how long each took since the last."""
    stations = (
        ("Happened at PagerDuty", delivery.occurred_at),
        ("Received and stored", delivery.received_at),
        ("Forwarded to its workflow", delivery.forwarded_at),
        ("On the issue's timeline", delivery.applied_at),
    )
    way, last = [], None
    for name, at in stations:
        if at is None:
            continue
        way.append((name, at, "" if last is None else f"after {_span(at - last)}"))
        last = at
    return way


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    return duration(span) if seconds >= 10 else f"{max(0.0, seconds) * 1000:.0f} ms"


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body


async def _replay(ask: Ask, body: ReplayBody) -> ReplayModel:
    return await ask.ingress.deliveries.replay(ask.request, ask.caller, body)


def _replayed(path: str, result: ReplayModel) -> Done:
    counts = {
        ReplayOutcome.REPLAYED: result.replayed,
        **{ReplayOutcome(k): n for k, n in result.left.items()},
    }
    parts = [f"{number} {WORDS_OF_OUTCOME[outcome]}" for outcome, number in counts.items() if number]
    more = " There are more: replay again." if result.more else ""
    text = "; ".join(parts) or "nothing matches the filter"
    return Done(path, f"Replay: {text}.{more}", "done" if result.replayed else "note")


async def _all_deliveries(ask: Ask, query: DeliveryListQuery) -> Sequence[DeliveryModel]:
    query = query.model_copy(update={"limit": 200})
    found: list[DeliveryModel] = []
    while len(found) < MAX_DOWNLOADED:
        page = await ask.ingress.deliveries.list(ask.request, ask.caller, query)
        found += page.deliveries
        if page.next_cursor is None:
            break
        query = query.model_copy(update={"cursor": page.next_cursor})
    return found


def _facets(counts: Mapping[tuple[str, str, str | None], int]) -> Sequence[Facet]:
    states, verdicts, types = Counter[str](), Counter[str](), Counter[str]()
    for (state, verdict, event_type), number in counts.items():
        states[state] += number
        verdicts[verdict] += number
        types[event_type or ""] += number
    return (
        Facet(
            "state",
            "State",
            [(state, LOOK_OF_DELIVERY_STATE[state].word, states[state]) for state in DeliveryState],
        ),
        Facet(
            "verdict",
            "Verdict",
            [
                (verdict, LOOK_OF_VERDICT[verdict].word, verdicts[verdict])
                for verdict in Verdict
                if verdicts[verdict]
            ],
        ),
        Facet(
            "event_type", "Event", [(name, name, number) for name, number in types.most_common(12) if name]
        ),
    )


PAGES = (
    Page(
        "/deliveries",
        "Deliveries",
        DELIVERIES_READ,
        show_list,
        "deliveries",
        menu="Deliveries",
        key="d",
        sets_up=SETS_UP,
    ),
    Page("/deliveries/{seq}", "Delivery", DELIVERIES_READ, show_delivery, "delivery", sets_up=SETS_UP),
    Page("/refusals", "Refusals", DELIVERIES_READ, show_refusals, "refusals", sets_up=SETS_UP),
    Page(
        "/explain/{incident_id}", "Explanation", DELIVERIES_READ, show_explanation, "explain", sets_up=SETS_UP
    ),
)
ACTIONS = (
    Action("/deliveries/replay", WEBHOOKS_WRITE, replay_all),
    Action("/deliveries/{seq}/replay", WEBHOOKS_WRITE, replay_one),
)
