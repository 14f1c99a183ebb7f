"""Scopes: the owner of an object is a user (personal) or an organisation."""

import re
from dataclasses import dataclass
from enum import StrEnum

from calmo_pagerduty.kernel.explained_error import ExplainedError

_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}")


class InvalidScope(ExplainedError, ValueError):
    """The text is not `personal:USER` or `organization:ORG`."""


class ScopeKind(StrEnum):
    """Who owns something: a single user, or an organization."""

    PERSONAL = "personal"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class Scope:
    """An owner. Only the user sees `personal:USER`; the members see `organization:ORG`."""

    kind: ScopeKind
    owner: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.owner}"

    @classmethod
    def parse(cls, text: str) -> "Scope":
        """Parse `personal:USER` or `organization:ORG`. Raises InvalidScope, whose message names the fault."""
        kind, separator, owner = text.partition(":")
        if not separator or kind not in tuple(ScopeKind):
            raise InvalidScope(f"a scope is personal:USER or organization:ORG, not {text!r}")
        if not _OWNER.fullmatch(owner):
            raise InvalidScope(
                f"the owner in {text!r} must be 1 to 128 letters, digits or . _ @ -,"
                " starting with a letter or digit"
            )
        return cls(ScopeKind(kind), owner)


@dataclass(frozen=True, slots=True)
class Visibility:
    """The scopes that a caller may see. Every read of a store takes a Visibility."""

    scopes: tuple[Scope, ...] = ()
    everything: bool = False

    def admits(self, scope: Scope) -> bool:
        """Tell whether the reader may see what belongs to the scope."""
        return self.everything or scope in self.scopes


EVERYTHING = Visibility(everything=True)
