"""What becomes of a person who proved to a provider who they are, and of people whom an operator changes."""

from dataclasses import replace
from datetime import datetime

from calmo_pagerduty.access import people_store
from calmo_pagerduty.access.key_audit_store import COMMAND_LINE
from calmo_pagerduty.access.people_store import Person
from calmo_pagerduty.access.persons import normalize_person
from calmo_pagerduty.access.roles import Grant
from calmo_pagerduty.access.sign_in_audit_store import PROVIDER, audit_person
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.explained_error import ExplainedError

MAX_NAME_LENGTH = 200


class NobodyKnown(ExplainedError):
    """No person of this subject is known. The message says what to do."""


def admit_person(
    tx: Transaction, issuer: str, subject: str, name: object, by_groups: Grant | None, now: datetime
) -> Principal | None:
    """Return the principal of a person who proved their subject; None if nothing maps them to a role.

    What an operator set wins over the groups. A person whose groups no longer give a role is removed, which
    ends their other sessions.
    """
    known = people_store.get_person(tx, issuer, subject)
    if known is not None and (known.is_set or known.is_kept_out):
        return None if known.is_kept_out else people_store.mark_signed_in(tx, known, now)
    if by_groups is None:
        if known is not None:
            revoked = people_store.delete_person(tx, known, now)
            audit_person(tx, known, "person removed", revoked, now, PROVIDER)
        return None
    who = normalize_person(name)[:MAX_NAME_LENGTH] if isinstance(name, str) else ""
    person = Person(issuer, subject, by_groups, who or subject, is_set=False, changed_by=PROVIDER)
    if known is None or (known.grant, known.person) != (person.grant, person.person):
        revoked = people_store.update_person(tx, person, now)
        audit_person(tx, person, "person changed", revoked, now, PROVIDER)
    saved = people_store.get_person(tx, issuer, subject)
    assert saved is not None
    return people_store.mark_signed_in(tx, saved, now)


def set_person(
    tx: Transaction,
    issuer: str,
    subject: str,
    grant: Grant,
    person: str | None,
    now: datetime,
    by: Principal | None = None,
) -> Person:
    """Give a person a role, known or not. Without `person` they stay who they are, or are their subject.

    `by` is who does it; None means the command line.
    """
    known = people_store.get_person(tx, issuer, subject)
    who = normalize_person(person or "") or (known.person if known else subject)
    changed = Person(issuer, subject, grant, who, is_set=True, changed_by=_name(by))
    revoked = people_store.update_person(tx, changed, now)
    audit_person(tx, changed, "person set", revoked, now, _name(by), None if by is None else by.key_id)
    return people_store.get_person(tx, issuer, subject) or changed


def remove_person(
    tx: Transaction, issuer: str, subject: str, keep_out: bool, now: datetime, by: Principal | None = None
) -> Person:
    """Forget a person, or keep them out whatever their groups. Their sessions end. Raises NobodyKnown."""
    known = people_store.get_person(tx, issuer, subject)
    if known is None:
        raise NobodyKnown("no such person: calmo-pagerduty people list shows the known ones")
    if keep_out:
        revoked = people_store.update_person(tx, replace(known, is_kept_out=True, changed_by=_name(by)), now)
    else:
        revoked = people_store.delete_person(tx, known, now)
    outcome = "person kept out" if keep_out else "person removed"
    audit_person(tx, known, outcome, revoked, now, _name(by), None if by is None else by.key_id)
    return people_store.get_person(tx, issuer, subject) or known


def _name(by: Principal | None) -> str:
    return COMMAND_LINE if by is None else by.who
