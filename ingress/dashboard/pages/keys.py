"""Keys and people: API keys with their rights, expiry and last use; making, replacing and revoking them."""

from collections.abc import Sequence
from datetime import timedelta

from calmo_pagerduty.access.permissions import ALL_PERMISSIONS, KEYS_WRITE
from ingress.api.endpoints import NoInput
from ingress.api.keys import ApiKeyBody, ApiKeyModel, NewApiKeyModel, RotationBody
from ingress.dashboard.page import Action, Ask, Content, Done, Page, PageAtOnce
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table

#: The days after which a new key ends, to choose from; the first is chosen by itself.
LIFETIMES = (90, 30, 7, 365)
HERE = f"{ROOT}/keys"


async def show_list(ask: Ask) -> Content:
    """GET /dashboard/keys: the keys that see no more than the caller does."""
    keys = (await ask.ingress.api_keys.list(ask.request, ask.caller, NoInput())).keys
    valid = [key for key in keys if not key.revoked_at and not (key.expires_at and key.expires_at <= ask.now)]
    over = [key for key in keys if key not in valid]
    return Content(
        {
            "permissions": [name for name in ALL_PERMISSIONS if name in ask.caller.permissions],
            "lifetimes": LIFETIMES,
        },
        {
            "valid": key_table("Valid keys", valid, "There is no key that you may see."),
            "over": key_table("Revoked and expired keys", over, "No key has been revoked or has expired."),
        },
    )


async def create(ask: Ask) -> PageAtOnce:
    """POST /dashboard/keys. Raises ValidationError, NotPermitted, InvalidScope."""
    days = ask.text("days") or str(LIFETIMES[0])
    lifetime = timedelta(days=int(days)) if days in {str(known) for known in LIFETIMES} else None
    scopes = (ask.text("scopes") or "").replace(",", " ").split()
    body = ApiKeyBody.model_validate(
        {
            "name": ask.text("name") or "",
            "permissions": [value for value in ask.form.getlist("permission") if isinstance(value, str)],
            "scopes": scopes or None,
            "person": ask.text("person"),
            "expires_at": None if lifetime is None else ask.now + lifetime,
        }
    )
    return _secret(await ask.ingress.api_keys.create(ask.request, ask.caller, body))


async def rotate(ask: Ask) -> PageAtOnce:
    """POST /dashboard/keys/{id}/rotate. Raises NotPermitted, ResourceNotFound."""
    return _secret(await ask.ingress.api_keys.rotate(ask.request, ask.caller, RotationBody()))


async def revoke(ask: Ask) -> Done:
    """POST /dashboard/keys/{id}/revoke. Raises NotPermitted, ResourceNotFound."""
    key = await ask.ingress.api_keys.revoke(ask.request, ask.caller, NoInput())
    return Done(HERE, f"The key {key.name} is revoked, with all keys that were made with it.")


async def clear(ask: Ask) -> Done:
    """POST /dashboard/keys/{id}/clear. Raises NotPermitted, ResourceNotFound."""
    key = await ask.ingress.api_keys.clear(ask.request, ask.caller, NoInput())
    return Done(HERE, f"The agent behind the key {key.name} begins anew: it has read nothing from outside.")


def key_table(caption: str, keys: Sequence[ApiKeyModel], empty: str) -> Table[ApiKeyModel]:
    """Return the table of keys, without their secrets."""
    return Table(
        caption,
        (
            Column("Key", lambda key: f"{key.name} ({key.id})", cell="api_key"),
            Column("Person", lambda key: key.person or ""),
            Column(
                "May", lambda key: ", ".join(key.permissions), cell="api_key_permissions", is_wide_only=True
            ),
            Column("Sees", _sees),
            Column("Last used", lambda key: str(key.last_used_at or "never"), cell="api_key_used"),
            Column("Ends", lambda key: str(key.revoked_at or key.expires_at or "never"), cell="api_key_ends"),
            Column("Change", lambda _key: "", cell="api_key_actions"),
        ),
        keys,
        empty=empty,
    )


def _sees(key: ApiKeyModel) -> str:
    return "everything" if key.scopes is None else ", ".join(key.scopes)


def _secret(made: NewApiKeyModel) -> PageAtOnce:
    return PageAtOnce(SECRET, Content({"made": made}))


LIST = Page(
    "/keys",
    "API keys",
    KEYS_WRITE,
    show_list,
    "keys",
    menu="Keys",
    key="k",
    sets_up="Who may do what: API keys of people, services and agents, with their expiry and last use.",
)
#: The answer to a form that made a key; it has no address of its own.
SECRET = Page("/keys", "A new API key", KEYS_WRITE, show_list, "new_key", sets_up=LIST.sets_up)
PAGES = (LIST,)
ACTIONS = (
    Action("/keys", KEYS_WRITE, create),
    Action("/keys/{id}/rotate", KEYS_WRITE, rotate),
    Action("/keys/{id}/revoke", KEYS_WRITE, revoke),
    Action("/keys/{id}/clear", KEYS_WRITE, clear),
)
