"""What the commands about people do in the database directly. It is slow to import."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from bootstrap.store import open_store
from calmo_pagerduty.access import people_service, people_store
from calmo_pagerduty.access.people_store import Person
from calmo_pagerduty.access.roles import Grant
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.settings import InvalidSettings
from ingress.commands.instances import settings_for
from ingress.commands.local_store import tell_of_unused_key

T = TypeVar("T")
Json = dict[str, Any]


def people(data_dir: Path | None) -> list[Json]:
    """Return all people. Raises StoreUnavailable."""
    with open_store(settings_for(data_dir)) as store:
        return [_json(person) for person in store.database.read_blocking(people_store.list_people)]


def set_person(data_dir: Path | None, subject: str, grant: Grant, person: str | None) -> Json:
    """Give a person a role. Raises StoreUnavailable, InvalidSettings."""
    now = datetime.now(UTC)
    return _write(
        data_dir, lambda t, issuer: people_service.set_person(t, issuer, subject, grant, person, now)
    )


def remove_person(data_dir: Path | None, subject: str, keep_out: bool) -> Json:
    """Forget a person, or keep them out. Raises StoreUnavailable, InvalidSettings, NobodyKnown."""
    now = datetime.now(UTC)
    return _write(data_dir, lambda t, issuer: people_service.remove_person(t, issuer, subject, keep_out, now))


def _write(data_dir: Path | None, work: Callable[[Transaction, str], Person]) -> Json:
    tell_of_unused_key()
    settings = settings_for(data_dir)
    issuer = settings.oidc_issuer
    if issuer is None:
        raise InvalidSettings("set CALMO_OIDC_ISSUER to the provider whose people are meant")
    with open_store(settings) as store:
        return _json(store.database.write_blocking(lambda t: work(t, issuer)))


def _json(person: Person) -> Json:
    grant = person.grant
    return {
        "issuer": person.issuer,
        "subject": person.subject,
        "person": person.person,
        "role": str(grant.role),
        "scopes": None if grant.scopes is None else [str(scope) for scope in grant.scopes],
        "role_from": "command line" if person.is_set else "groups",
        "kept_out": person.is_kept_out,
        "signed_in_at": None if person.signed_in_at is None else person.signed_in_at.isoformat(),
    }
