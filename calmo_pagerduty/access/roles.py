"""Roles of people: what each may do, in one table, and how an identity provider's groups become one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from calmo_pagerduty.access import permissions as may
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.scopes import InvalidScope, Scope


class InvalidGrant(ExplainedError, ValueError):
    """The role or its scopes make no sense. The message names the fault."""


class Role(StrEnum):
    """What a person is for. Each role may do what those before it may do."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    LEAD = "lead"
    ADMINISTRATOR = "administrator"
    #: Runs the service: sees all organisations.
    OPERATOR = "operator"


_VIEWER = frozenset({may.ISSUES_READ, may.FINDINGS_READ, may.TOOLS_READ, may.CONNECTIONS_READ})
_RESPONDER = _VIEWER | {may.TOOLS_WRITE, may.DELIVERIES_READ}
_LEAD = _RESPONDER | {
    may.APPROVALS_WRITE, may.FINDINGS_WRITE, may.PERSONS_READ, may.WEBHOOKS_READ, may.AUDIT_READ,
    may.PERSONAL_READ,
}  # fmt: skip
_ADMINISTRATOR = _LEAD | {
    may.WEBHOOKS_WRITE, may.CONNECTIONS_WRITE, may.CONNECTIONS_ADMIN, may.DELIVERIES_BODY, may.KEYS_WRITE,
}  # fmt: skip

PERMISSIONS_OF_ROLE: Mapping[Role, frozenset[str]] = {
    Role.VIEWER: _VIEWER,
    Role.RESPONDER: _RESPONDER,
    Role.LEAD: _LEAD,
    Role.ADMINISTRATOR: _ADMINISTRATOR,
    Role.OPERATOR: frozenset(may.ALL_PERMISSIONS),
}
_RANK = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in some scopes. `scopes` is None for an operator, who sees everything."""

    role: Role
    scopes: tuple[Scope, ...] | None

    @property
    def permissions(self) -> frozenset[str]:
        return PERMISSIONS_OF_ROLE[self.role]


def make_grant(role: str, scopes: Collection[str]) -> Grant:
    """Return the grant. Only an operator has no scopes. Raises InvalidGrant."""
    if role not in tuple(Role):
        raise InvalidGrant(f"no such role: {role[:40]!r}. The roles are {', '.join(Role)}")
    if (role == Role.OPERATOR) == bool(scopes):
        wanted = "sees everything, so name no scope" if scopes else "needs a scope, such as organization:acme"
        raise InvalidGrant(f"the role {role} {wanted}")
    try:
        parsed = tuple(Scope.parse(scope) for scope in sorted(set(scopes)))
    except InvalidScope as error:
        raise InvalidGrant(str(error)) from error
    return Grant(Role(role), parsed or None)


def parse_group_roles(given: Mapping[str, str]) -> Mapping[str, Grant]:
    """Parse `{"sre": "lead organization:acme organization:umbrella", "ops": "operator"}`.

    Raises InvalidGrant.
    """
    grants = {}
    for group, text in given.items():
        role, *scopes = text.split() or [""]
        try:
            grants[group] = make_grant(role, scopes)
        except InvalidGrant as error:
            raise InvalidGrant(f"group {group[:80]!r}: {error}") from error
    return grants


def grant_of_groups(groups: Collection[str], grants: Mapping[str, Grant]) -> Grant | None:
    """Return the highest role of these groups, in the scopes of the groups that give it; None without any.

    A lower role in another scope is left out, because a role holds in all of a person's scopes.
    """
    given = [grants[group] for group in grants if group in groups]
    if not given:
        return None
    role = max((grant.role for grant in given), key=_RANK.__getitem__)
    scopes = {scope for grant in given if grant.role is role for scope in grant.scopes or ()}
    return Grant(role, None if role is Role.OPERATOR else tuple(sorted(scopes, key=str)))


def groups_of_claim(value: object) -> frozenset[str]:
    """Return a claim's groups: a list of texts, or a single text."""
    values = value if isinstance(value, list) else [value]
    return frozenset(text for text in values if isinstance(text, str))
