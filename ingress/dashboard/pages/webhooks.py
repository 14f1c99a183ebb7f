"""Webhooks: the addresses to which PagerDuty delivers; making, changing and deleting them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from calmo_pagerduty.access.permissions import (
    CONNECTIONS_WRITE,
    DELIVERIES_READ,
    WEBHOOKS_READ,
    WEBHOOKS_WRITE,
)
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.model import MAX_STRIKES
from calmo_pagerduty.webhooks import activity_queries
from calmo_pagerduty.webhooks.activity_queries import WebhookActivity
from calmo_pagerduty.webhooks.event_filters import EventFilter, EventSet
from calmo_pagerduty.webhooks.public_address import unreachable_reason
from calmo_pagerduty.webhooks.setup_steps import pagerduty_steps
from ingress.api.endpoints import NoInput
from ingress.api.models import NoBody
from ingress.dashboard.looks import LOOK_OF_WEBHOOK_STATE
from ingress.dashboard.page import Action, Ask, Content, Done, Page, PageAtOnce
from ingress.dashboard.pages.connections import list_connections
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table
from ingress.deliveries.models import RefusalListQuery, RefusalModel
from ingress.reconciliation.models import DoctorBody
from ingress.webhooks.models import SampleBody, SecretBody, WebhookBody, WebhookModel

HERE = f"{ROOT}/webhooks"
SETS_UP = "The addresses to which PagerDuty delivers: whether deliveries arrive and verify, and why not."
#: So many refusals are shown with a webhook.
MAX_REFUSALS = 10
NO_ACTIVITY = WebhookActivity(None, 0)


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A webhook with what it received lately."""

    webhook: WebhookModel
    connection: str
    activity: WebhookActivity


async def show_list(ask: Ask) -> Content:
    """GET /dashboard/webhooks"""
    listed = (await ask.ingress.webhooks.list(ask.request, ask.caller, NoInput())).webhooks
    names = {item.id: item.name for item in await list_connections(ask)}
    activity = await _activity(ask)
    rows = [
        WebhookRow(
            webhook,
            names.get(webhook.connection_id, webhook.connection_id),
            activity.get(webhook.id, NO_ACTIVITY),
        )
        for webhook in listed
    ]
    return Content({"has_connections": bool(names)}, {"webhooks": webhook_table(rows)})


async def show_webhook(ask: Ask) -> Content:
    """GET /dashboard/webhooks/{id}, by its handle. Raises ResourceNotFound, WebhookConflict."""
    webhook = await ask.ingress.webhooks.show(ask.request, ask.caller, NoInput())
    refusals: Sequence[RefusalModel] = ()
    if ask.may(DELIVERIES_READ):
        query = RefusalListQuery(webhook=[webhook.id], verdict=[], limit=MAX_REFUSALS)
        refusals = (await ask.ingress.deliveries.list_refusals(ask.request, ask.caller, query)).refusals
    return Content(
        {
            "webhook": webhook,
            "connection": next(
                (item for item in await list_connections(ask) if item.id == webhook.connection_id), None
            ),
            "activity": (await _activity(ask)).get(webhook.id, NO_ACTIVITY),
            "max_strikes": MAX_STRIKES,
            "steps": _steps(webhook) if webhook.steps else (),
            **await validation(ask),
        },
        {"refusals": refusal_table(refusals)},
        title=webhook.name or webhook.id,
    )


async def show_validation(ask: Ask) -> Content:
    """GET /dashboard/webhooks/{id}/validation: the part of the page that says whether deliveries verify."""
    webhook = await ask.ingress.webhooks.show(ask.request, ask.caller, NoInput())
    return Content({"webhook": webhook, **await validation(ask)})


async def validation(ask: Ask) -> Mapping[str, object]:
    """Return whether deliveries verify, for callers who may ask; the question changes nothing."""
    if not ask.may(WEBHOOKS_WRITE):
        return {"validation": None}
    return {"validation": await ask.ingress.webhook_tests.validate(ask.request, ask.caller, SampleBody())}


async def show_new(ask: Ask) -> Content:
    """GET /dashboard/webhooks/new"""
    public_address = ask.ingress.services.settings.webhook_address
    return Content(
        {
            "connections": await list_connections(ask),
            "chosen": ask.request.query_params.get("connection"),
            "event_sets": list(EventSet),
            "unreachable": unreachable_reason(public_address),
            "public_address": public_address,
        }
    )


async def create(ask: Ask) -> PageAtOnce:
    """POST /dashboard/webhooks: the whole address is shown only in this answer."""
    chosen = ask.text("connection") or ""
    connection = next((item for item in await list_connections(ask) if item.id == chosen), None)
    body = WebhookBody.model_validate(
        {
            "scope": connection.scope if connection else "",
            "connection": chosen,
            "name": ask.text("name") or "",
            "event_set": ask.text("event_set") or EventSet.ADVANCED,
            "service_ids": _ids(ask.text("service_ids")),
            "team_ids": _ids(ask.text("team_ids")),
            "subscribe": ask.text("way") == "managed",
        }
    )
    made = await ask.ingress.webhooks.create(ask.request, ask.caller, body)
    handle = f"wh_{made.id[-6:]}"
    return PageAtOnce(
        MADE,
        Content(
            {"made": made, "handle": handle, "steps": _steps(made), "address": f"{HERE}/{handle}"},
            title="A new webhook",
        ),
    )


async def set_secret(ask: Ask) -> Done:
    """POST /dashboard/webhooks/{id}/secret. Raises InvalidSecret, WebhookConflict, NotPermitted."""
    body = SecretBody.model_validate(
        {"secret": ask.text("secret") or "", "keep_others": ask.text("keep_others") is not None}
    )
    changed = await ask.ingress.webhooks.set_secret(ask.request, ask.caller, body)
    notes = "".join(f" {note[:1].upper()}{note[1:]}." for note in changed.notes)
    return Done(
        _path(changed),
        f"The secret is kept.{notes} Now choose Send Test Event on the webhook's page in PagerDuty.",
    )


async def subscribe(ask: Ask) -> Done:
    """POST /dashboard/webhooks/{id}/subscribe. Raises WebhookConflict, NotPermitted, PagerDutyError."""
    changed = await ask.ingress.webhooks.subscribe(ask.request, ask.caller, NoBody())
    return Done(_path(changed), "PagerDuty's subscription is made, and its secret is stored.")


async def rotate(ask: Ask) -> Done:
    """POST /dashboard/webhooks/{id}/rotate. Raises WebhookConflict, NotPermitted, PagerDutyError."""
    changed = await ask.ingress.webhooks.rotate(ask.request, ask.caller, NoBody())
    return Done(_path(changed), "The secret is replaced. Deliveries with the old one verify for 72 h more.")


async def pause(ask: Ask) -> Done:
    """POST /dashboard/webhooks/{id}/pause"""
    changed = await ask.ingress.webhooks.pause(ask.request, ask.caller, NoBody())
    return Done(_path(changed), "Paused: deliveries are stored, and change no issue until they are replayed.")


async def resume(ask: Ask) -> Done:
    """POST /dashboard/webhooks/{id}/resume"""
    changed = await ask.ingress.webhooks.resume(ask.request, ask.caller, NoBody())
    return Done(_path(changed), "Resumed. What arrived while it was paused can be replayed from Deliveries.")


async def delete(ask: Ask) -> Done:
    """POST /dashboard/webhooks/{id}/delete"""
    deleted = await ask.ingress.webhooks.delete(ask.request, ask.caller, NoInput())
    warnings = "".join(f" {warning}." for warning in deleted.warnings if "will be deleted later" in warning)
    return Done(HERE, f"The webhook {deleted.id} is deleted. Its deliveries stay stored.{warnings}")


async def examine(ask: Ask) -> Done:
    """POST /dashboard/webhooks/{id}/examine: let the doctor look now. Raises TemporalUnavailable."""
    webhook = await ask.ingress.webhooks.show(ask.request, ask.caller, NoInput())
    body = DoctorBody(connection=webhook.connection_id)
    await ask.ingress.reconciliation.examine(ask.request, ask.caller, body)
    return Done(_path(webhook), "The doctor has looked at the webhook and at PagerDuty's subscriptions.")


def webhook_table(rows: Sequence[WebhookRow]) -> Table[WebhookRow]:
    """Return the table of webhooks."""
    return Table(
        "Webhooks",
        (
            Column("Webhook", lambda row: row.webhook.name or row.webhook.id, cell="webhook"),
            Column("State", lambda row: LOOK_OF_WEBHOOK_STATE[row.webhook.state].word, cell="webhook_state"),
            Column("Subscription", subscription_text),
            Column("Connection", lambda row: row.connection),
            Column("Strikes left", _strikes_left, is_figure=True, is_wide_only=True),
            Column(
                "Last delivery",
                lambda row: str(row.activity.last_delivery_at or "never"),
                cell="last_delivery",
            ),
        ),
        rows,
        empty="No webhook yet: without one no incident arrives. Make one: it takes two minutes.",
    )


def refusal_table(refusals: Sequence[RefusalModel]) -> Table[RefusalModel]:
    """Return the table of refusals: what arrived and could not be authenticated."""
    return Table(
        "Refused",
        (
            Column("Verdict", lambda refusal: refusal.verdict.value, cell="refusal_verdict"),
            Column("Why", lambda refusal: refusal.reason.replace("_", " ")),
            Column("Answered", lambda refusal: str(refusal.status), is_figure=True),
            Column("Webhook", lambda refusal: refusal.webhook, is_wide_only=True),
            Column("Size, bytes", lambda refusal: str(refusal.body_bytes), is_figure=True, is_wide_only=True),
            Column("When", lambda refusal: refusal.at.isoformat(), cell="refused_at"),
        ),
        refusals,
        empty="Nothing was refused.",
    )


def subscription_text(row: WebhookRow) -> str:
    """Tell who made PagerDuty's subscription."""
    return "managed through the API" if row.webhook.managed else "made by hand"


def _strikes_left(row: WebhookRow) -> str:
    return f"{MAX_STRIKES - row.activity.strikes} of {MAX_STRIKES}"


def _steps(webhook: WebhookModel) -> Sequence[str]:
    only = EventFilter(tuple(webhook.service_ids), tuple(webhook.team_ids))
    return pagerduty_steps(webhook.url, webhook.event_set, only)


def _ids(text: str | None) -> Sequence[str]:
    return (text or "").replace(",", " ").split()


def _path(webhook: WebhookModel) -> str:
    return f"{HERE}/{webhook.id}"


async def _activity(ask: Ask) -> Mapping[str, WebhookActivity]:
    """Return what each webhook received lately, by its handle."""
    now: datetime = ask.now

    def read(transaction: Transaction) -> Mapping[str, WebhookActivity]:
        return activity_queries.get_activity(transaction, ask.caller.visibility, now)

    return await ask.read(read)


MADE = Page("/webhooks", "A new webhook", WEBHOOKS_READ, show_list, "made_webhook", sets_up=SETS_UP)
WEBHOOK = Page("/webhooks/{id}", "Webhook", WEBHOOKS_READ, show_webhook, "webhook", sets_up=SETS_UP)
PAGES = (
    Page(
        "/webhooks",
        "Webhooks",
        WEBHOOKS_READ,
        show_list,
        "webhooks",
        menu="Webhooks",
        key="w",
        sets_up=SETS_UP,
    ),
    Page("/webhooks/new", "New webhook", WEBHOOKS_WRITE, show_new, "new_webhook", sets_up=SETS_UP),
    WEBHOOK,
    Page("/webhooks/{id}/validation", "Validation", WEBHOOKS_WRITE, show_validation, "webhook_validation"),
)
ACTIONS = (
    Action("/webhooks", WEBHOOKS_WRITE, create),
    Action("/webhooks/{id}/secret", WEBHOOKS_WRITE, set_secret),
    Action("/webhooks/{id}/subscribe", WEBHOOKS_WRITE, subscribe),
    Action("/webhooks/{id}/rotate", WEBHOOKS_WRITE, rotate),
    Action("/webhooks/{id}/pause", WEBHOOKS_WRITE, pause),
    Action("/webhooks/{id}/resume", WEBHOOKS_WRITE, resume),
    Action("/webhooks/{id}/delete", WEBHOOKS_WRITE, delete),
    Action("/webhooks/{id}/examine", CONNECTIONS_WRITE, examine),
)
