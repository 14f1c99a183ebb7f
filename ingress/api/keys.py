"""API keys over REST: make, list, rotate, revoke. A key can't give, keep or revoke rights that it lacks."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, Field
from starlette.requests import Request

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.key_audit_store import audit_key_change
from calmo_pagerduty.access.permissions import ALL_PERMISSIONS, CONNECTIONS_ADMIN, KEYS_WRITE
from calmo_pagerduty.access.store import KeyRow, Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope
from calmo_pagerduty.tool_calls.model import Channel
from ingress.api.calls import channel_of
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.errors import NotPermitted
from ingress.api.finding import require
from ingress.api.models import Model

NOT_FOUND = ((404, "there is no such key, or it sees more than this API key"),)
#: How long both keys are valid after a rotation, if the caller doesn't say.
OVERLAP_HOURS = 24.0

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
    #: The key that made it; null if the command line did.
    created_by: str | None
    #: To within ten minutes.
    last_used_at: datetime | None
    #: One of the service's own keys, which admit no request.
    is_service: bool
    #: When an agent last read texts from outside with it, through MCP.
    untrusted_read_at: datetime | None


class ApiKeyListModel(Model):
    keys: list[ApiKeyModel]


class NewApiKeyModel(ApiKeyModel):
    """A new key. `key` is its secret: it is shown only now, and we store only its hash."""

    key: str


class ApiKeyBody(Model):
    """A new key. `person`, `teams` and `expires_at` default to the requesting key's. `scopes` null sees
    everything.
    """

    name: Line
    permissions: Annotated[list[Line], Field(min_length=1, max_length=50)]
    scopes: Annotated[list[Line], Field(min_length=1, max_length=50)] | None = None
    person: Line | None = None
    teams: Annotated[list[Line], Field(max_length=50)] | None = None
    expires_at: AwareDatetime | None = None


class RotationBody(Model):
    """How long the old key stays valid beside the new one."""

    overlap_hours: Annotated[float, Field(ge=0, le=24 * 30)] = OVERLAP_HOURS


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
                "POST",
                "/api/api-keys/{id}/rotate",
                "Replace an API key by a new one with the same rights and idempotency keys",
                Json(NewApiKeyModel, status=201),
                permission=KEYS_WRITE,
                takes=RotationBody,
                handler=self.rotate,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "DELETE",
                "/api/api-keys/{id}/untrusted",
                "Forget that an agent has read texts from outside with the key",
                Json(ApiKeyModel),
                permission=KEYS_WRITE,
                takes=NoInput,
                handler=self.clear,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "DELETE",
                "/api/api-keys/{id}",
                "Revoke an API key, and all keys that were made with it",
                Json(ApiKeyModel),
                permission=KEYS_WRITE,
                takes=NoInput,
                handler=self.revoke,
                statuses=NOT_FOUND,
            ),
        ]

    async def clear(self, request: Request, principal: Principal, _nothing: NoInput) -> ApiKeyModel:
        """DELETE /api/api-keys/{id}/untrusted: a person says that the agent behind the key begins anew."""
        now = datetime.now(UTC)

        def write(transaction: Transaction) -> ApiKeyModel:
            key = _get_key(transaction, principal, request.path_params["id"])
            _check_change(principal, key)
            if principal.person is None or principal.key_id == key.id or channel_of(request) is Channel.MCP:
                raise NotPermitted("only a person clears the mark of an agent's key, with a key of their own")
            if key.untrusted_read_at is not None:
                api_keys.mark_untrusted_read(transaction, key.id, None)
                _audit(transaction, principal, key, "untrusted mark cleared", now)
            return _model(_get_key(transaction, principal, key.id))

        return await self._database.write(write, seen_by=principal.visibility)

    async def list(self, _request: Request, principal: Principal, _nothing: NoInput) -> ApiKeyListModel:
        """GET /api/api-keys"""
        rows = await self._database.read(
            lambda t: api_keys.list_keys(t, principal.visibility), principal.visibility
        )
        return ApiKeyListModel(keys=[_model(key) for key in rows])

    async def create(self, _request: Request, principal: Principal, body: ApiKeyBody) -> NewApiKeyModel:
        """POST /api/api-keys. Raises NotPermitted, InvalidScope."""
        scopes = None if body.scopes is None else tuple(Scope.parse(scope) for scope in body.scopes)
        teams = principal.teams if body.teams is None else tuple(body.teams)
        person = body.person or principal.person
        if unknown := set(body.permissions) - set(ALL_PERMISSIONS):
            raise NotPermitted(f"no such permission: {', '.join(sorted(unknown))}")
        check_rights(principal, body.permissions, scopes, teams)
        check_person(principal, person)
        now = datetime.now(UTC)

        def write(transaction: Transaction) -> NewApiKeyModel:
            text = api_keys.insert_key(
                transaction,
                body.name,
                body.permissions,
                scopes,
                now,
                person,
                teams,
                _earlier(body.expires_at, principal.expires_at),
                created_by=principal.key_id,
            )
            key = _get_key(transaction, principal, api_keys.parse_key_id(text))
            _audit(transaction, principal, key, "api key made", now)
            return NewApiKeyModel.from_row(_model(key), key=text)

        return await self._database.write(write, seen_by=principal.visibility)

    async def rotate(self, request: Request, principal: Principal, body: RotationBody) -> NewApiKeyModel:
        """POST /api/api-keys/{id}/rotate. The new key lives as long as the old one was made for.

        Raises NotPermitted, ResourceNotFound.
        """
        key_id = request.path_params["id"]
        now = datetime.now(UTC)

        def write(transaction: Transaction) -> NewApiKeyModel:
            old = _get_key(transaction, principal, key_id)
            _check_change(principal, old)
            check_person(principal, old.person)
            if old.is_service or api_keys.get_principal(transaction, old.id, now) is None:
                raise NotPermitted(
                    "only a valid key of a person or a program can be replaced: make a new one"
                )
            lifetime = None if old.expires_at is None else now + (old.expires_at - old.created_at)
            text = api_keys.insert_key(
                transaction,
                old.name,
                old.permissions,
                old.scopes,
                now,
                old.person,
                old.teams,
                _earlier(lifetime, principal.expires_at),
                created_by=principal.key_id,
                owner=old.owner,
            )
            api_keys.mark_expiring(transaction, old.id, now + timedelta(hours=body.overlap_hours))
            key = _get_key(transaction, principal, api_keys.parse_key_id(text))
            _audit(transaction, principal, key, "api key rotated", now, replaces=old.id)
            return NewApiKeyModel.from_row(_model(key), key=text)

        return await self._database.write(write, seen_by=principal.visibility)

    async def revoke(self, request: Request, principal: Principal, _nothing: NoInput) -> ApiKeyModel:
        """DELETE /api/api-keys/{id}: refuse the next request of the key and of all keys made with it, and end
        their live streams.
        """
        key_id = request.path_params["id"]
        now = datetime.now(UTC)

        def write(transaction: Transaction) -> ApiKeyModel:
            key = _get_key(transaction, principal, key_id)
            _check_change(principal, key)
            for revoked_id in api_keys.mark_revoked(transaction, key.id, now):
                revoked = api_keys.get_key(transaction, EVERYTHING, revoked_id)
                assert revoked is not None
                with_it = {} if revoked_id == key.id else {"with": key.id}
                _audit(transaction, principal, revoked, "api key revoked", now, **with_it)
            return _model(_get_key(transaction, principal, key.id))

        return await self._database.write(write, seen_by=principal.visibility)


def check_rights(
    principal: Principal,
    permissions: Collection[str],
    scopes: Sequence[Scope] | None,
    teams: Collection[str],
) -> None:
    """Raises NotPermitted if a key of these rights may do something that the principal may not."""
    if more := set(permissions) - principal.permissions:
        raise NotPermitted(f"this API key can't give or take what it lacks: {', '.join(sorted(more))}")
    if not principal.visibility.everything:
        if scopes is None:
            raise NotPermitted("only an operator's key can make keys that see everything: name their scopes")
        if foreign := [str(scope) for scope in scopes if not principal.visibility.admits(scope)]:
            raise NotPermitted(f"this API key doesn't see the scope {', '.join(foreign)}")
        if set(teams) - set(principal.teams):
            raise NotPermitted("this API key can't give teams that it does not have itself")
    # A team may also forbid: a key without the team could do more.
    if CONNECTIONS_ADMIN not in principal.permissions and set(teams) != set(principal.teams):
        raise NotPermitted(
            f"without the permission {CONNECTIONS_ADMIN}, this API key handles only keys of its own teams"
        )


def _check_change(principal: Principal, key: KeyRow) -> None:
    """Raises NotPermitted unless the principal has all rights of the key."""
    check_rights(principal, key.permissions, key.scopes, key.teams)
    if key.is_service and CONNECTIONS_ADMIN not in principal.permissions:
        raise NotPermitted(
            f"the service's own keys are the administrators': this API key lacks {CONNECTIONS_ADMIN}"
        )


def check_person(principal: Principal, person: str | None) -> None:
    """Raises NotPermitted if the principal may not make keys of this person.

    Otherwise a person could request a call with one key and approve it with another.
    """
    if person is None or principal.is_person(person) or CONNECTIONS_ADMIN in principal.permissions:
        return
    raise NotPermitted(f"only a key with the permission {CONNECTIONS_ADMIN} can make keys for other persons")


def _earlier(time: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (time, other) if each is not None), default=None)


def _get_key(transaction: Transaction, principal: Principal, key_id: str) -> KeyRow:
    return require(api_keys.get_key(transaction, principal.visibility, key_id), "API key", key_id)


def _model(key: KeyRow) -> ApiKeyModel:
    scopes = None if key.scopes is None else [str(scope) for scope in key.scopes]
    return ApiKeyModel.from_row(key, permissions=sorted(key.permissions), scopes=scopes)


def _audit(
    transaction: Transaction, principal: Principal, key: KeyRow, outcome: str, now: datetime, **more: str
) -> None:
    audit_key_change(transaction, key, outcome, now, principal.who, principal.key_id, **more)
