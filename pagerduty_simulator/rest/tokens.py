"""API tokens: whose they are and what they may do."""

from dataclasses import dataclass, field
from typing import Final, Literal

# PagerDuty's role names whose holders may only look.
_READ_ONLY_ROLES: Final = frozenset({"observer", "read_only_user", "read_only_limited_user"})
_MANAGER_ROLES: Final = frozenset({"owner", "admin", "user"})

TokenKind = Literal["account", "account_read_only", "user", "oauth"]


@dataclass(frozen=True, slots=True)
class Token:
    """A key to the API; `scopes` bind an OAuth token only, `user_id` names whom it acts for."""

    key: str = field(repr=False)
    name: str
    kind: TokenKind = "account"
    user_id: str | None = None
    scopes: frozenset[str] = frozenset()
    region: str = "us"
    revoked: bool = False

    def may(self, scope: str | None, *, writes: bool, role: str | None) -> bool:
        """Say whether it allows an operation of this scope; `role` is that of its user."""
        if self.kind == "oauth":
            return scope is None or scope in self.scopes
        if writes and (self.kind == "account_read_only" or role in _READ_ONLY_ROLES):
            return False
        manages = writes and scope == "webhook_subscriptions.write"
        return not manages or role is None or role in _MANAGER_ROLES


def presented_key(authorization: str) -> str | None:
    """Return the key of an Authorization header in either of PagerDuty's two forms."""
    scheme, _, rest = authorization.partition(" ")
    if scheme == "Bearer":
        return rest.strip()
    if scheme == "Token" and rest.strip().startswith("token="):
        return rest.strip().removeprefix("token=").strip('"')
    return None
