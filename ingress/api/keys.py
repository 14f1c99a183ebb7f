"""API keys over REST: make, list, revoke. A key cannot give rights that it lacks itself."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, Field
from starlette.requests import Request

from calmo_pagerduty.access import audit_store as audit, store as api_keys
from calmo_pagerduty.access.permissions import ALL_PERMISSIONS, CONNECTIONS_ADMIN, KEYS_WRITE
from calmo_pagerduty.access.store import KeyRow, Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import Scope
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.errors import NotPermitted
from ingress.api.finding import require
from ingress.api.models import Model

NOT_FOUND = ((404, "there is no such key, or it sees more than this API key"),)
#: The audit scope of changes that concern only operators.
OPERATORS = "operators"

Line = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*$")]


class ApiKeyModel(Model):
    """A key without its secret. If `scopes` is null, the key sees everything. All times are UTC."""

    id: str
    name: str
    permissions: list[str]
    scopes: list[str] | None
    person: str | None
    teams: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class ApiKeyListModel(Model):
    keys: list[ApiKeyModel]


class NewApiKeyModel(ApiKeyModel):
    """A new key. `key` is its secret: it is shown only now, and we store only its hash."""

    key: str


class ApiKeyBody(Model):
    """A new key. `person` and `expires_at` default to the requesting key's. `scopes` null sees everything."""

    name: Line
    permissions: Annotated[list[Line], Field(min_length=1, max_length=50)]
    scopes: Annotated[list[Line], Field(min_length=1, max_length=50)] | None = None
    person: Line | None = None
    teams: Annotated[list[Line], Field(default_factory=list, max_length=50)]
    expires_at: AwareDatetime | None = None


class ApiKeyEndpoints:
    """A principal sees the keys that see no more than it does. Every change is audited."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def endpoints(self) -> "list[EndpointRow]":
        return [
            Endpoint(
                "GET",
                "/api/api-keys",
                "List API keys, without their secrets",
                Json(ApiKeyListModel),
                permission=KEYS_WRITE,
                takes=NoInput,
                handler=self.list,
            ),
            Endpoint(
                "POST",
                "/api/api-keys",
                "Make an API key; the secret is shown only now",
                Json(NewApiKeyModel, status=201),
                permission=KEYS_WRITE,
                takes=ApiKeyBody,
                handler=self.create,
            ),
            Endpoint(
                "DELETE",
                "/api/api-keys/{id}",
                "Revoke an API key",
                Json(ApiKeyModel),
                permission=KEYS_WRITE,
                takes=NoInput,
                handler=self.revoke,
                statuses=NOT_FOUND,
            ),
        ]

    async def list(self, _request: Request, principal: Principal, _nothing: NoInput) -> ApiKeyListModel:
        """GET /api/api-keys"""
        rows = await self._database.read(lambda t: api_keys.list_keys(t, principal.visibility))
        return ApiKeyListModel(keys=[_model(key) for key in rows])

    async def create(self, _request: Request, principal: Principal, body: ApiKeyBody) -> NewApiKeyModel:
        """POST /api/api-keys. Raises NotPermitted, InvalidScope."""
        scopes = None if body.scopes is None else tuple(Scope.parse(scope) for scope in body.scopes)
        _check_no_escalation(principal, body, scopes)
        expiries = [time for time in (body.expires_at, principal.expires_at) if time is not None]
        person = body.person or (None if principal.visibility.everything else principal.who)
        now = datetime.now(UTC)

        def write(transaction: Transaction) -> NewApiKeyModel:
            text = api_keys.insert_key(
                transaction,
                body.name,
                body.permissions,
                scopes,
                now,
                person,
                body.teams,
                min(expiries, default=None),
            )
            key = _get_key(transaction, principal, api_keys.parse_key_id(text))
            _audit(transaction, principal, key, "api key made", now)
            return NewApiKeyModel.from_row(_model(key), key=text)

        return await self._database.write(write)

    async def revoke(self, request: Request, principal: Principal, _nothing: NoInput) -> ApiKeyModel:
        """DELETE /api/api-keys/{id}: refuse the key's next request and end its live streams."""
        key_id = request.path_params["id"]
        now = datetime.now(UTC)

        def write(transaction: Transaction) -> ApiKeyModel:
            key = _get_key(transaction, principal, key_id)
            if key.revoked_at is None:
                api_keys.mark_revoked(transaction, key.id, now)
                _audit(transaction, principal, key, "api key revoked", now)
            return _model(_get_key(transaction, principal, key.id))

        return await self._database.write(write)


def _check_no_escalation(principal: Principal, body: ApiKeyBody, scopes: tuple[Scope, ...] | None) -> None:
    """Raises NotPermitted if the new key would have rights that the principal lacks."""
    if unknown := set(body.permissions) - set(ALL_PERMISSIONS):
        raise NotPermitted(f"no such permission: {', '.join(sorted(unknown))}")
    if more := set(body.permissions) - principal.permissions:
        raise NotPermitted(f"this API key can't give what it lacks: {', '.join(sorted(more))}")
    if principal.visibility.everything:
        return
    if scopes is None:
        raise NotPermitted("only an operator's key can make keys that see everything: name their scopes")
    if foreign := [str(scope) for scope in scopes if not principal.visibility.admits(scope)]:
        raise NotPermitted(f"this API key doesn't see the scope {', '.join(foreign)}")
    if set(body.teams) - set(principal.teams):
        raise NotPermitted("this API key can't give teams that it does not have itself")
    # Otherwise a person could request a call with one key and approve it with another.
    if body.person not in (None, principal.who) and CONNECTIONS_ADMIN not in principal.permissions:
        raise NotPermitted(
            f"only a key with the permission {CONNECTIONS_ADMIN} can make keys for other persons"
        )


def _get_key(transaction: Transaction, principal: Principal, key_id: str) -> KeyRow:
    return require(api_keys.get_key(transaction, principal.visibility, key_id), "API key", key_id)


def _model(key: KeyRow) -> ApiKeyModel:
    scopes = None if key.scopes is None else [str(scope) for scope in key.scopes]
    return ApiKeyModel.from_row(key, permissions=sorted(key.permissions), scopes=scopes)


def _audit(transaction: Transaction, principal: Principal, key: KeyRow, outcome: str, now: datetime) -> None:
    record = {
        "key_id": principal.key_id,
        "requester": principal.who,
        "outcome": outcome,
        "subject_key_id": key.id,
        "permissions": sorted(key.permissions),
        "person": key.person,
    }
    for scope in map(str, key.scopes or ()) if key.scopes is not None else (OPERATORS,):
        audit.insert_audit_row(transaction, scope, now, record)
