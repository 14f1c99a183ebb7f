"""Audit who signs in and out, who fails to, and what happens to people. Times are UTC."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from calmo_pagerduty.access.audit_store import insert_audit_row
from calmo_pagerduty.access.key_audit_store import COMMAND_LINE, OPERATORS, audit_key_change
from calmo_pagerduty.access.people_store import Person
from calmo_pagerduty.access.store import KeyRow, Principal
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import Scope

#: The requester of a change that the provider's groups bring.
PROVIDER = "identity provider"


def audit_session(tx: Transaction, principal: Principal, outcome: str, way: str, now: datetime) -> None:
    """Append a row for each scope that the principal sees: they signed in or out."""
    record = {"key_id": principal.key_id, "requester": principal.who, "outcome": outcome, "way": way}
    seen = principal.visibility
    _insert(tx, None if seen.everything else seen.scopes, now, record)


def audit_failed_sign_in(tx: Transaction, way: str, now: datetime) -> None:
    """Append a row for operators. What was typed, and from where, is not kept."""
    record = {"key_id": None, "requester": "unknown", "outcome": "sign-in failed", "way": way}
    insert_audit_row(tx, OPERATORS, now, record)


def audit_person(
    tx: Transaction,
    person: Person,
    outcome: str,
    revoked: Collection[KeyRow],
    now: datetime,
    requester: str = COMMAND_LINE,
    requesting_key_id: str | None = None,
) -> None:
    """Append a row for each scope of a person who was changed, and one for each key that this revoked."""
    record = {
        "key_id": requesting_key_id,
        "requester": requester,
        "outcome": outcome,
        "person": person.person,
        "role": person.grant.role,
    }
    _insert(tx, person.grant.scopes, now, record)
    for key in revoked:
        audit_key_change(tx, key, "api key revoked", now, requester, requesting_key_id)


def _insert(tx: Transaction, scopes: Collection[Scope] | None, now: datetime, record: dict[str, Any]) -> None:
    for scope in (OPERATORS,) if scopes is None else map(str, scopes):
        insert_audit_row(tx, scope, now, record)
