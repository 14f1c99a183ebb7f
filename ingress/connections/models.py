"""API models of connections. They never show a token."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from calmo_pagerduty.connections import rate_limit_store as permits
from calmo_pagerduty.connections.rate_limit_store import RateLimitUsage
from calmo_pagerduty.connections.response_targets import Minutes
from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.pagerduty.token_kinds import Region, TokenKind
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from ingress.api.models import Model

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*$")]
Token = Annotated[SecretStr, Field(min_length=8, max_length=4096)]
Address = Annotated[str, Field(max_length=254, pattern=r"^[!-~]+@[!-~]+$")]
PriorityName = Annotated[str, Field(min_length=1, max_length=100)]
PerMinute = Annotated[int, Field(ge=1, le=permits.MAX_PER_MINUTE)]


class RulesModel(Model):
    """A connection's rules. The keys of switches are tool:NAME, category:NAME or risk:LEVEL."""

    switches: Mapping[str, Switch] = {}
    teams: Mapping[str, Mapping[str, Switch]] = {}
    approve: tuple[Risk, ...] = (Risk.HIGH,)
    medium_after_untrusted: bool = False
    approval_hours: float = 24.0
    writes_per_hour: int = 60
    tool_writes_per_hour: Mapping[str, int] = {}

    def rules(self) -> ConnectionRules:
        """Return the rules. Raises ValidationError, InvalidSelector."""
        return ConnectionRules.model_validate(self.model_dump(mode="json"))


class SeverityTargetsModel(Model):
    """Response targets in minutes since the incident was opened. Null means no target."""

    acknowledge_minutes: Minutes | None = None
    resolve_minutes: Minutes | None = None


class ResponseTargetsModel(Model):
    """How soon incidents must be acknowledged and resolved, by severity.

    With `escalates_on_miss`, an open incident that misses a target is escalated to `escalation_level`, if the
    rules allow the write.
    """

    by_severity: Mapping[Severity, SeverityTargetsModel] = {}
    escalates_on_miss: bool = False
    escalation_level: Annotated[int, Field(ge=1, le=20)] = 2


#: PagerDuty's accounts have a handful of priorities. Every signal to an incident's workflow carries ours.
MAX_SEVERITIES = 50
#: More switches, teams or caps than this are no settings.
MAX_RULES = 500


def _bounded(value: object, most: int) -> object:
    """Return a map of settings. Raises ValueError if it, or a map in it, has more entries than `most`."""
    if isinstance(value, Mapping):
        if len(value) > most:
            raise ValueError(f"at most {most} entries, not {len(value)}")
        for inner in value.values():
            _bounded(inner, most)
    return value


_FEW = BeforeValidator(partial(_bounded, most=MAX_SEVERITIES))
_BOUNDED = BeforeValidator(partial(_bounded, most=MAX_RULES))


class ConnectionBody(Model):
    """A new connection."""

    name: Name
    scope: str
    region: Region = Region.US
    token: Token | None = None
    token_kind: TokenKind = TokenKind.API_TOKEN
    #: True to keep the token without testing it.
    untested: bool = False
    from_address: Address | None = None
    severities: Annotated[Mapping[PriorityName, Severity], _FEW] = {}
    requests_per_minute: PerMinute | None = None
    rules: Annotated[RulesModel, _BOUNDED] = RulesModel()


class ConnectionChange(Model):
    """The fields to change. Fields that are left out stay as they are."""

    name: Name | None = None
    from_address: Address | None = None
    severities: Annotated[Mapping[PriorityName, Severity] | None, _FEW] = None
    requests_per_minute: PerMinute | None = None
    rules: Annotated[RulesModel | None, _BOUNDED] = None
    #: True to write each incident's context back as a note, if the rules allow the tool for notes.
    context_note: bool = False
    response_targets: ResponseTargetsModel | None = None

    @model_validator(mode="after")
    def _check_nulls(self) -> Self:
        for name in ("name", "severities", "rules"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name} can't be null: leave it out to keep it as it is")
        return self


class TokenBody(Model):
    """A new token, which replaces the current token once PagerDuty accepts it."""

    token: Token
    token_kind: TokenKind = TokenKind.API_TOKEN
    #: True to keep the token without testing it.
    untested: bool = False


class RateModel(Model):
    """Our share of PagerDuty's rate limit, and PagerDuty's own figures from its last answers."""

    requests_per_minute: int
    paused_until: datetime | None
    minute_limit: int | None
    minute_remaining: int | None
    minute_seen_at: datetime | None
    daily_limit: int | None
    daily_remaining: int | None
    daily_reset_at: datetime | None


class ConnectionModel(Model):
    """A connection: a PagerDuty account in a scope. Times are UTC."""

    id: str
    name: str
    scope: str
    region: Region
    #: Null if the connection has no token and serves only webhooks.
    token_kind: TokenKind | None
    token_version: int
    from_address: str | None
    severities: dict[str, Severity]
    rules: RulesModel
    context_note: bool
    response_targets: ResponseTargetsModel | None
    facts: dict[str, Any]
    rate: RateModel
    created_at: datetime


class ConnectionListModel(Model):
    connections: list[ConnectionModel]


class ConnectionTestModel(Model):
    """The report of a test, and the allowed tools that can't work, with the reason."""

    ok: bool
    report: list[str]
    cannot_serve: dict[str, str]
    rate: RateModel


def connection_model(connection: Connection, usage: RateLimitUsage) -> ConnectionModel:
    targets = connection.response_targets
    return ConnectionModel.from_row(
        connection,
        scope=str(connection.scope),
        rules=connection.rules.model_dump(mode="json"),
        response_targets=None if targets is None else targets.model_dump(mode="json"),
        facts=connection.facts.model_dump(mode="json", exclude_none=True),
        rate=rate_model(connection, usage),
    )


def rate_model(connection: Connection, usage: RateLimitUsage) -> RateModel:
    per_minute = connection.requests_per_minute or permits.DEFAULT_PER_MINUTE
    return RateModel.from_row(usage, requests_per_minute=per_minute)
