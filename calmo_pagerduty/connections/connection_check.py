"""What a connection's token can do, found out by reading only, and said in words."""

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

#: What is read once each, by the scope that it shows: (path, what it is in words).
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
    """`verdict` is ok, rejected, or unreachable; `reads` says for each scope ok or why not."""

    verdict: str
    facts: TokenInfo
    reads: Mapping[str, str]
    #: In words, as PagerDuty or the network put it.
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What a person is told of a connection: one line for each thing, and the tools that won't work."""

    ok: bool
    lines: tuple[str, ...]
    #: Tools that are switched on and won't work, with the reason.
    cannot_serve: Mapping[str, str]


def probe_connection() -> Plan:
    """Ask who the token is, what the plan has, and one thing of each kind. Never raises PagerDutyError."""
    found: JsonObject = {"verdict": OK, "reads": {}}
    try:
        found["me"] = (yield _read_request("/users/me")).get("user", {})
    except InvalidRequest:
        # Only a user's token says who it is. An account's is refused with 400.
        found["me"] = None
    except (AccessDenied, NotFound):
        pass  # a token without the scope users.read doesn't tell
    except TokenRejected as error:
        return {"verdict": "rejected", "trouble": str(error)}
    except PagerDutyError as error:
        return {"verdict": "unreachable", "trouble": str(error)}
    try:
        found["abilities"] = (yield _read_request("/abilities")).get("abilities", [])
    except PagerDutyError:
        found["abilities"] = None
    for scope, (path, _) in READ_PROBES.items():
        found["reads"][scope] = yield from _probe_read(path)
    return found


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


def parse_probe(found: JsonObject, scopes: frozenset[str] | None, now: datetime) -> ProbeResult:
    """Make sense of what `probe` found."""
    me, abilities = found.get("me"), found.get("abilities")
    facts = TokenInfo(
        tested_at=now,
        of_a_user=me is not None if "me" in found else None,
        role=str(me.get("role")) if isinstance(me, dict) and me.get("role") else None,
        abilities=frozenset(map(str, abilities)) if isinstance(abilities, list) else None,
        scopes=scopes,
    )
    return ProbeResult(found["verdict"], facts, found.get("reads", {}), found.get("trouble", ""))


def build_report(
    findings: ProbeResult, tools: Mapping[str, Tool], rules: ConnectionRules, works_elsewhere: str | None
) -> ConnectionReport:
    """Say it in words. `works_elsewhere` names the region in which the token is accepted, if not here."""
    if findings.verdict == "rejected":
        line = f"PagerDuty rejects the token: {findings.trouble}"
        if works_elsewhere:
            line = f"the token belongs to the region {works_elsewhere}, not to this connection's"
        return ConnectionReport(False, (line,), {})
    if findings.verdict != OK:
        return ConnectionReport(False, (f"PagerDuty can't be asked: {findings.trouble}",), {})
    lines = ["the token is valid", _owner_text(findings.facts)]
    readable = [words for scope, (_, words) in READ_PROBES.items() if findings.reads.get(scope) == OK]
    lines.append(f"it may read {', '.join(readable)}" if readable else "it may read nothing that tools need")
    for scope, (_, words) in READ_PROBES.items():
        if (why := findings.reads.get(scope, OK)) != OK:
            lines.append(f"it can't read {words}: {why}")
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
    """Yield the tools that the connection switches on and this token can't serve, with the reason."""
    everything = PrincipalRights(frozenset({"tools:read", "tools:write"}))
    for name, tool in tools.items():
        if not judge(tool, everything, rules, TokenInfo()).allowed:
            continue
        judgement = judge(tool, everything, rules, findings.facts)
        if not judgement.allowed:
            yield name, judgement.words
            continue
        for scope in tool.scopes:
            if (why := findings.reads.get(scope, OK)) != OK:
                yield name, f"it needs {scope}: {why}"
                break
