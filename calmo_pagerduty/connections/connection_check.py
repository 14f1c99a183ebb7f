"""Probes what a connection's token can do, with reads only, and reports it to a person."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from calmo_pagerduty.pagerduty.errors import (
    AccessDenied,
    InvalidRequest,
    NotFound,
    NotInPlan,
    PagerDutyError,
    TokenRejected,
    TryAgain,
)
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, Method, Plan
from calmo_pagerduty.pagerduty.tokens import TokenInfo
from calmo_pagerduty.tools.model import Tool
from calmo_pagerduty.tools.permissions import ConnectionRules, PrincipalRights, judge

#: One read for each OAuth scope: (path, name for people).
READ_PROBES: Mapping[str, tuple[str, str]] = {
    "incidents.read": ("/incidents", "incidents"),
    "services.read": ("/services", "services"),
    "escalation_policies.read": ("/escalation_policies", "escalation policies"),
    "schedules.read": ("/schedules", "schedules"),
    "oncalls.read": ("/oncalls", "who is on call"),
    "users.read": ("/users", "users"),
    "priorities.read": ("/priorities", "priorities"),
    "change_events.read": ("/change_events", "change events"),
    "webhook_subscriptions.read": ("/webhook_subscriptions", "webhook subscriptions"),
}
OK = "ok"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`verdict` is ok, rejected or unreachable. `reads` holds `ok` or the reason, by scope."""

    verdict: str
    facts: TokenInfo
    reads: Mapping[str, str]
    #: The error message of PagerDuty or the network.
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """A report for a person: its lines, and the tools that won't work."""

    ok: bool
    lines: tuple[str, ...]
    #: Reason by tool, for enabled tools that won't work.
    cannot_serve: Mapping[str, str]


def probe_connection() -> Plan:
    """Read the token's user, the account's abilities, and one object of each kind.

    Returns {"verdict", "reads", "me", "abilities"} or {"verdict", "trouble"}. Never raises PagerDutyError.
    Source: GET /users/me, GET /abilities, and the paths of READ_PROBES.
    """
    probe: JsonObject = {"verdict": OK, "reads": {}}
    try:
        probe["me"] = (yield _read_request("/users/me")).get("user", {})
    except InvalidRequest:
        # PagerDuty answers 400 for an account's token: it has no user.
        probe["me"] = None
    except (AccessDenied, NotFound):
        pass  # a token without the scope users.read doesn't show its user
    except TokenRejected as error:
        return {"verdict": "rejected", "trouble": str(error)}
    except PagerDutyError as error:
        return {"verdict": "unreachable", "trouble": str(error)}
    try:
        probe["abilities"] = (yield _read_request("/abilities")).get("abilities", [])
    except PagerDutyError:
        probe["abilities"] = None
    for scope, (path, _) in READ_PROBES.items():
        probe["reads"][scope] = yield from _probe_read(path)
    return probe


def _probe_read(path: str) -> Generator[ApiRequest, JsonObject, str]:
    try:
        yield _read_request(path, limit="1")
    except (AccessDenied, NotFound):
        return "the token's role or scopes don't allow it"
    except NotInPlan:
        return "the account's plan lacks it"
    except TokenRejected:
        return "the token was rejected"
    except TryAgain as error:
        return f"PagerDuty didn't answer ({type(error).__name__})"
    except PagerDutyError as error:
        return str(error)
    return OK


def _read_request(path: str, **query: str) -> ApiRequest:
    return ApiRequest(method=Method.GET, path=path, query=tuple(query.items()))


def parse_probe(probe: JsonObject, scopes: frozenset[str] | None, now: datetime) -> ProbeResult:
    """Parse the result of `probe_connection`. `scopes` are those of an OAuth token; `now` is UTC."""
    me, abilities = probe.get("me"), probe.get("abilities")
    facts = TokenInfo(
        tested_at=now,
        of_a_user=me is not None if "me" in probe else None,
        role=str(me.get("role")) if isinstance(me, dict) and me.get("role") else None,
        abilities=frozenset(map(str, abilities)) if isinstance(abilities, list) else None,
        scopes=scopes,
    )
    return ProbeResult(probe["verdict"], facts, probe.get("reads", {}), probe.get("trouble", ""))


def build_report(
    findings: ProbeResult, tools: Mapping[str, Tool], rules: ConnectionRules, works_elsewhere: str | None
) -> ConnectionReport:
    """Return the report. `works_elsewhere` names the other region if that accepts the token."""
    if findings.verdict == "rejected":
        line = f"PagerDuty rejects the token: {findings.trouble}"
        if works_elsewhere:
            line = f"the token belongs to the region {works_elsewhere}, not to this connection's"
        return ConnectionReport(False, (line,), {})
    if findings.verdict != OK:
        return ConnectionReport(False, (f"PagerDuty can't be asked: {findings.trouble}",), {})
    lines = ["the token is valid", _owner_text(findings.facts)]
    readable = [name for scope, (_, name) in READ_PROBES.items() if findings.reads.get(scope) == OK]
    lines.append(f"it may read {', '.join(readable)}" if readable else "it may read nothing that tools need")
    for scope, (_, name) in READ_PROBES.items():
        if (reason := findings.reads.get(scope, OK)) != OK:
            lines.append(f"it can't read {name}: {reason}")
    if findings.facts.abilities is None:
        lines.append("PagerDuty doesn't tell what the account's plan has")
    return ConnectionReport(True, tuple(lines), dict(_unusable_tools(findings, tools, rules)))


def _owner_text(facts: TokenInfo) -> str:
    if facts.of_a_user is None:
        return "PagerDuty doesn't tell whether it is a user's or the account's"
    if facts.of_a_user:
        return f"it is a user's, with the role {facts.role or 'unknown'}: it may do what that user may"
    return "it is the account's; whether it may write shows only when it does"


def _unusable_tools(
    findings: ProbeResult, tools: Mapping[str, Tool], rules: ConnectionRules
) -> Iterator[tuple[str, str]]:
    """Yield (tool, reason) for the tools that the connection enables and this token can't serve."""
    everything = PrincipalRights(frozenset({"tools:read", "tools:write"}))
    for name, tool in tools.items():
        if not judge(tool, everything, rules, TokenInfo()).allowed:
            continue
        judgement = judge(tool, everything, rules, findings.facts)
        if not judgement.allowed:
            yield name, judgement.words
            continue
        for scope in tool.scopes:
            if (reason := findings.reads.get(scope, OK)) != OK:
                yield name, f"it needs {scope}: {reason}"
                break
