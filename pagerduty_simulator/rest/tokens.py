"""API tokens: their owners and permissions."""

from dataclasses import dataclass, field
from typing import Final, Literal

# PagerDuty's roles that may only read.
_READ_ONLY_ROLES: Final = frozenset({"observer", "read_only_user", "read_only_limited_user"})
_MANAGER_ROLES: Final = frozenset({"owner", "admin", "user"})

TokenKind = Literal["account", "account_read_only", "user", "oauth"]


@dataclass(frozen=True, slots=True)
class Token:
    """An API token; `scopes` restrict only an OAuth token, `user_id` is the user for whom it acts."""

    key: str = field(repr=False)
    name: str
    kind: TokenKind = "account"
    user_id: str | None = None
    scopes: frozenset[str] = frozenset()
    region: str = "us"
    revoked: bool = False

    def may(self, scope: str | None, *, writes: bool, role: str | None) -> bool:
        """Return whether it allows an operation of this scope; `role` is its user's role."""
        if self.kind == "oauth":
            return scope is None or scope in self.scopes
        if writes and (self.kind == "account_read_only" or role in _READ_ONLY_ROLES):
            return False
        manages = writes and scope == "webhook_subscriptions.write"
        return not manages or role is None or role in _MANAGER_ROLES


def presented_key(authorization: str) -> str | None:
    """Return the key of an Authorization header, in either of PagerDuty's two forms."""
    scheme, _, rest = authorization.partition(" ")
    if scheme == "Bearer":
        return rest.strip()
    if scheme == "Token" and rest.strip().startswith("token="):
        return rest.strip().removeprefix("token=").strip('"')
    return None
