"""REST endpoints that add, list, show, change, test and remove connections."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from starlette.requests import Request

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.access.permissions import CONNECTIONS_ADMIN, CONNECTIONS_READ, CONNECTIONS_WRITE
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections import rate_limit_store as permits, store as connections
from calmo_pagerduty.connections.connection_check import (
    ProbeResult,
    build_report,
    parse_probe,
    probe_connection,
)
from calmo_pagerduty.connections.service import PagerDutyClients
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.findings.issue_store import resolve_findings_of_removed
from calmo_pagerduty.kernel.scopes import Scope, ScopeKind
from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.pagerduty.token_kinds import Region, TokenKind
from calmo_pagerduty.pagerduty.tokens import TokenInfo
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.permissions import ConnectionRules, enables_writes
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.errors import NotPermitted
from ingress.api.finding import require_connection
from ingress.api.models import NoBody
from ingress.connections.models import (
    ConnectionBody,
    ConnectionChange,
    ConnectionListModel,
    ConnectionModel,
    ConnectionTestModel,
    TokenBody,
    connection_model,
    rate_model,
)
from ingress.connections.rule_checks import check_teams, check_tool_names
from ingress.connections.token_trial import try_token

SILENT = ((502, "PagerDuty can't be asked about the token or the teams"),)
NOT_FOUND = ((404, "there is no such connection, or this API key may not see it"),)
PERMIT_TIMEOUT = timedelta(seconds=5)


class ConnectionEndpoints:
    """Endpoints that manage connections. Every change is audited. Errors: `ingress.api.errors`."""

    def __init__(self, database: Database, keyring: Keyring, accounts: PagerDutyClients) -> None:
        self._database = database
        self._keyring = keyring
        self._accounts = accounts

    def endpoints(self) -> "list[EndpointRow]":
        return [
            Endpoint(
                "GET",
                "/api/connections",
                "List connections",
                Json(ConnectionListModel),
                permission=CONNECTIONS_READ,
                takes=NoInput,
                handler=self.list,
            ),
            Endpoint(
                "POST",
                "/api/connections",
                "Connect a PagerDuty account",
                Json(ConnectionModel, status=201),
                permission=CONNECTIONS_WRITE,
                takes=ConnectionBody,
                handler=self.add,
                statuses=SILENT,
            ),
            Endpoint(
                "GET",
                "/api/connections/{id}",
                "Show a connection",
                Json(ConnectionModel),
                permission=CONNECTIONS_READ,
                takes=NoInput,
                handler=self.show,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "PATCH",
                "/api/connections/{id}",
                "Change a connection's name, rules and settings",
                Json(ConnectionModel),
                permission=CONNECTIONS_WRITE,
                takes=ConnectionChange,
                handler=self.change,
                statuses=(*NOT_FOUND, *SILENT),
            ),
            Endpoint(
                "DELETE",
                "/api/connections/{id}",
                "Remove a connection and delete its token",
                Json(ConnectionModel),
                permission=CONNECTIONS_WRITE,
                takes=NoInput,
                handler=self.remove,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST",
                "/api/connections/{id}/token",
                "Replace the connection's token",
                Json(ConnectionModel),
                permission=CONNECTIONS_WRITE,
                takes=TokenBody,
                handler=self.rotate,
                statuses=(*NOT_FOUND, *SILENT),
            ),
            Endpoint(
                "POST",
                "/api/connections/{id}/test",
                "Test what the connection's token can do",
                Json(ConnectionTestModel),
                permission=CONNECTIONS_WRITE,
                takes=NoBody,
                handler=self.test,
                statuses=NOT_FOUND,
            ),
        ]

    async def list(self, _request: Request, principal: Principal, _nothing: NoInput) -> ConnectionListModel:
        """GET /api/connections"""

        def read(transaction: Transaction) -> list[ConnectionModel]:
            listed = connections.list_connections(transaction, principal.visibility)
            return [_model(transaction, connection) for connection in listed]

        return ConnectionListModel(connections=await self._database.read(read, principal.visibility))

    async def show(self, request: Request, principal: Principal, _nothing: NoInput) -> ConnectionModel:
        """GET /api/connections/{id}"""
        connection = await self._find(request, principal)
        return await self._database.read(
            lambda transaction: _model(transaction, connection), principal.visibility
        )

    async def add(self, _request: Request, principal: Principal, body: ConnectionBody) -> ConnectionModel:
        """POST /api/connections"""
        scope = Scope.parse(body.scope)
        if not principal.visibility.admits(scope):
            raise NotPermitted(f"this API key doesn't see the scope {scope}")
        rules = body.rules.rules()
        _check_administrator(principal, scope, ConnectionRules(), rules)
        check_tool_names(ConnectionRules(), rules)
        facts = await self._try(body.region, body.token_kind, body.token, body.untested)
        now = datetime.now(UTC)

        def write(transaction: Transaction) -> ConnectionModel:
            connection_id = connections.insert_connection(
                transaction,
                body.name,
                scope,
                now,
                body.region,
                rules,
                body.from_address,
                body.severities,
                body.requests_per_minute,
            )
            if body.token is not None:
                added = _get_connection(transaction, principal, connection_id)
                self._keep(transaction, principal, added, body.token_kind, body.token, facts)
            return _audit_change(transaction, principal, connection_id, "added", now)

        return await self._database.write(write, seen_by=principal.visibility)

    async def change(self, request: Request, principal: Principal, body: ConnectionChange) -> ConnectionModel:
        """PATCH /api/connections/{id}"""
        connection = await self._find(request, principal)
        await self._check_rules(connection, body)
        values = body.model_dump(mode="json", exclude={"rules"}, exclude_unset=True)
        now = datetime.now(UTC)

        def write(transaction: Transaction) -> ConnectionModel:
            current = _get_connection(transaction, principal, connection.id)
            if body.rules is not None:
                rules = body.rules.rules()
                _check_administrator(principal, current.scope, current.rules, rules)
                connections.update_rules(transaction, current.id, rules)
            _check_values(principal, current, body)
            if values:
                connections.update_connection(transaction, current.id, **values)
            return _audit_change(
                transaction, principal, current.id, "changed", now, sorted(body.model_fields_set)
            )

        return await self._database.write(write, seen_by=principal.visibility)

    async def _check_rules(self, connection: Connection, body: ConnectionChange) -> None:
        """Raises InvalidSelector, ValidationError, PagerDutySilent."""
        if body.rules is None:
            return
        rules = body.rules.rules()
        check_tool_names(connection.rules, rules)
        if connection.token_kind is not None and set(rules.teams) - set(connection.rules.teams):
            client = await self._accounts.client(connection, PERMIT_TIMEOUT)
            await check_teams(client, connection.rules, rules)

    async def rotate(self, request: Request, principal: Principal, body: TokenBody) -> ConnectionModel:
        """POST /api/connections/{id}/token. Calls that run already still use the old token."""
        connection = await self._find(request, principal)
        facts = await self._try(connection.region, body.token_kind, body.token, body.untested)
        now = datetime.now(UTC)

        def write(transaction: Transaction) -> ConnectionModel:
            current = _get_connection(transaction, principal, connection.id)
            if current.token_kind is not None:
                _check_owner(principal, current.scope, "replace its token")
            self._keep(transaction, principal, current, body.token_kind, body.token, facts)
            return _audit_change(transaction, principal, current.id, "token rotated", now)

        return await self._database.write(write, seen_by=principal.visibility)

    async def _try(
        self, region: Region, kind: TokenKind, token: SecretStr | None, untested: bool
    ) -> TokenInfo | None:
        """Return what PagerDuty tells of the token; None if it is not to be tested, or if there is none.

        Raises TokenRefused, PagerDutySilent.
        """
        return None if token is None or untested else await try_token(self._accounts, region, kind, token)

    def _keep(
        self,
        transaction: Transaction,
        principal: Principal,
        connection: Connection,
        kind: TokenKind,
        token: SecretStr,
        facts: TokenInfo | None,
    ) -> None:
        connections.update_token(transaction, self._keyring, connection, kind, token)
        if facts is not None:
            with_token = _get_connection(transaction, principal, connection.id)
            connections.update_token_info(transaction, with_token, facts)

    async def remove(self, request: Request, principal: Principal, _nothing: NoInput) -> ConnectionModel:
        """DELETE /api/connections/{id}: delete its token at once. Its issues and audit rows stay.

        Its findings are resolved and their issues closed: nothing would ever close them later.
        """
        connection = await self._find(request, principal)
        now = datetime.now(UTC)

        def write(transaction: Transaction) -> ConnectionModel:
            _check_owner(principal, connection.scope, "remove it")
            removed = _audit_change(transaction, principal, connection.id, "removed", now)
            connections.mark_removed(transaction, connection.id, now)
            resolve_findings_of_removed(transaction, connection.id, connection.scope, now)
            return removed

        return await self._database.write(write, seen_by=principal.visibility)

    async def test(self, request: Request, principal: Principal, _body: NoBody) -> ConnectionTestModel:
        """POST /api/connections/{id}/test: try the token with reads only, and report what it can do."""
        connection = await self._find(request, principal)
        try:
            findings = await self._probe(connection)
        except PagerDutyError as error:
            return await self._test_response(connection, False, (str(error),), {})
        elsewhere = await self._other_region(connection) if findings.verdict == "rejected" else None
        await self._database.write(
            lambda t: connections.update_token_info(t, connection, findings.facts),
            seen_by=principal.visibility,
        )
        report = build_report(findings, TOOLS, connection.rules, elsewhere)
        return await self._test_response(connection, report.ok, report.lines, dict(report.cannot_serve))

    async def _test_response(
        self, connection: Connection, ok: bool, lines: tuple[str, ...], cannot_serve: dict[str, str]
    ) -> ConnectionTestModel:
        usage = await self._database.read(lambda transaction: permits.get_usage(transaction, connection.id))
        rate = rate_model(connection, usage)
        lines += (f"our share of the rate limit is {rate.requests_per_minute} requests a minute",)
        if rate.minute_remaining is not None:
            lines += (f"PagerDuty has {rate.minute_remaining} of {rate.minute_limit} left at the moment",)
        if rate.daily_remaining is not None:
            lines += (f"analytics: {rate.daily_remaining} of {rate.daily_limit} left today",)
        return ConnectionTestModel(ok=ok, report=list(lines), cannot_serve=cannot_serve, rate=rate)

    async def _probe(self, connection: Connection) -> ProbeResult:
        client = await self._accounts.client(connection, PERMIT_TIMEOUT)
        return parse_probe(await client.run(probe_connection()), None, datetime.now(UTC))

    async def _other_region(self, connection: Connection) -> str | None:
        """Return another region that accepts the token, or None."""
        for region in (Region.US, Region.EU):
            if connection.region in {region, Region.SIMULATOR}:
                continue
            if (await self._probe(replace(connection, region=region))).verdict == "ok":
                return region
        return None

    async def _find(self, request: Request, principal: Principal) -> Connection:
        connection_id = request.path_params["id"]
        return await self._database.read(
            lambda transaction: _get_connection(transaction, principal, connection_id), principal.visibility
        )


def _get_connection(transaction: Transaction, principal: Principal, connection_id: str) -> Connection:
    return require_connection(transaction, principal.visibility, connection_id)


def _model(transaction: Transaction, connection: Connection) -> ConnectionModel:
    return connection_model(connection, permits.get_usage(transaction, connection.id))


def _audit_change(
    transaction: Transaction,
    principal: Principal,
    connection_id: str,
    outcome: str,
    now: datetime,
    fields: list[str] | None = None,
) -> ConnectionModel:
    connection = _get_connection(transaction, principal, connection_id)
    record = {
        "connection_id": connection_id,
        "key_id": principal.key_id,
        "requester": principal.who,
        "outcome": f"connection {outcome}",
        "fields": fields,
        "rules": connection.rules.model_dump(mode="json"),
    }
    audit.insert_audit_row(transaction, str(connection.scope), now, record)
    return _model(transaction, connection)


def _check_values(principal: Principal, current: Connection, body: ConnectionChange) -> None:
    """Raises NotPermitted if the change touches in whose name, or what, the connection writes by itself."""
    if "from_address" in body.model_fields_set and body.from_address != current.from_address:
        _check_owner(principal, current.scope, "change in whose name it writes")
    if body.context_note and not current.context_note:
        _check_owner(principal, current.scope, "let it write notes by itself")
    if "response_targets" in body.model_fields_set:
        before, after = current.response_targets, body.response_targets
        escalates = (before is not None and before.escalates_on_miss) or (
            after is not None and after.escalates_on_miss
        )
        if escalates:
            _check_owner(principal, current.scope, "change targets that escalate by themselves")


def _check_owner(principal: Principal, scope: Scope, what: str) -> None:
    """Raises NotPermitted if the connection is an organisation's and the principal is no administrator."""
    if scope.kind is ScopeKind.PERSONAL or CONNECTIONS_ADMIN in principal.permissions:
        return
    raise NotPermitted(
        f"only the organization's administrators may {what}: this API key lacks the permission"
        f" {CONNECTIONS_ADMIN}"
    )


def _check_administrator(
    principal: Principal, scope: Scope, before: ConnectionRules, after: ConnectionRules
) -> None:
    """Raises NotPermitted if the change allows more writes and the principal is no administrator."""
    if scope.kind is ScopeKind.PERSONAL or CONNECTIONS_ADMIN in principal.permissions:
        return
    if enables_writes(before, after):
        raise NotPermitted(
            "only the organization's administrators may allow more than before:"
            f" this API key lacks the permission {CONNECTIONS_ADMIN}"
        )
