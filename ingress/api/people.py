"""People over REST: who signs in through the OpenID provider, and in which role."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field
from starlette.requests import Request

from calmo_pagerduty.access import people_service, people_store
from calmo_pagerduty.access.people_store import Person
from calmo_pagerduty.access.permissions import KEYS_WRITE
from calmo_pagerduty.access.roles import Grant, make_grant
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.errors import NotPermitted, ResourceNotFound
from ingress.api.keys import Line, check_person, check_rights
from ingress.api.models import Model

NOT_FOUND = (
    (404, "nobody of this subject is known, or they see more than this API key; or there is no provider"),
)

Subject = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f]*$")]


class PersonModel(Model):
    """A person of the provider. If `scopes` is null, they see everything. All times are UTC."""

    issuer: str
    #: The provider's name of the person, which never changes: the claim `sub`.
    subject: str
    #: Who they are here, such as PagerDuty's id of a user.
    person: str
    role: str
    scopes: list[str] | None
    #: True if somebody here said the role, which then wins over the provider's groups.
    is_set: bool
    #: True for a person who is refused, whatever their groups.
    kept_out: bool
    signed_in_at: datetime | None
    changed_at: datetime | None
    #: Who made the last change: a person, the command line, or the identity provider by its groups.
    changed_by: str | None


class PeopleModel(Model):
    people: list[PersonModel]


class PersonBody(Model):
    """A person's role. Only an operator has no `scopes`. Without `person` they stay who they are."""

    subject: Subject
    role: Line
    scopes: Annotated[list[Line], Field(max_length=50, default=[])]
    person: Line | None = None


class RemovalQuery(Model):
    """Whom to remove. With `keep_out` they are refused from now on, whatever their groups."""

    subject: Subject
    keep_out: bool = False


class PeopleEndpoints:
    """A principal sees the people who see no more than it does. Every change is audited."""

    def __init__(self, database: Database, issuer: str | None) -> None:
        self._database = database
        self._issuer = issuer

    def endpoints(self) -> "list[EndpointRow]":
        return [
            Endpoint(
                "GET",
                "/api/people",
                "List the people who sign in through the OpenID provider, with their roles",
                Json(PeopleModel),
                permission=KEYS_WRITE,
                takes=NoInput,
                handler=self.list,
            ),
            Endpoint(
                "PUT",
                "/api/people",
                "Give a person a role, whatever their groups; it holds with their next request",
                Json(PersonModel),
                permission=KEYS_WRITE,
                takes=PersonBody,
                handler=self.set,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "DELETE",
                "/api/people",
                "End a person's sessions and the keys that they made, and forget their role",
                Json(PersonModel),
                permission=KEYS_WRITE,
                takes=RemovalQuery,
                handler=self.remove,
                statuses=NOT_FOUND,
            ),
        ]

    async def list(self, _request: Request, principal: Principal, _nothing: NoInput) -> PeopleModel:
        """GET /api/people"""
        found = await self._database.read(people_store.list_people)
        return PeopleModel(people=[_model(person) for person in found if _sees(principal, person.grant)])

    async def set(self, _request: Request, principal: Principal, body: PersonBody) -> PersonModel:
        """PUT /api/people. Raises NotPermitted, InvalidGrant, ResourceNotFound."""
        grant = make_grant(body.role, body.scopes)
        check_rights(principal, grant.permissions, grant.scopes, principal.teams)
        issuer, now = self._provider(), datetime.now(UTC)

        def write(tx: Transaction) -> Person:
            known = people_store.get_person(tx, issuer, body.subject)
            if known is not None:
                _check_change(principal, known)
            check_person(principal, body.person or (known.person if known else body.subject))
            return people_service.set_person(tx, issuer, body.subject, grant, body.person, now, principal)

        return _model(await self._database.write(write, seen_by=principal.visibility))

    async def remove(self, _request: Request, principal: Principal, query: RemovalQuery) -> PersonModel:
        """DELETE /api/people. Raises NotPermitted, NobodyKnown, ResourceNotFound."""
        issuer, now = self._provider(), datetime.now(UTC)

        def write(tx: Transaction) -> Person:
            known = people_store.get_person(tx, issuer, query.subject)
            if known is not None:
                _check_change(principal, known)
            return people_service.remove_person(tx, issuer, query.subject, query.keep_out, now, principal)

        return _model(await self._database.write(write, seen_by=principal.visibility))

    def _provider(self) -> str:
        """Raises ResourceNotFound."""
        if self._issuer is None:
            raise ResourceNotFound("no OpenID provider is set up here: CALMO_OIDC_ISSUER names it")
        return self._issuer


def _sees(principal: Principal, grant: Grant) -> bool:
    seen = principal.visibility
    return seen.everything or (grant.scopes is not None and all(map(seen.admits, grant.scopes)))


def _check_change(principal: Principal, person: Person) -> None:
    """Raises ResourceNotFound if the principal may not see the person, NotPermitted if not change them."""
    if not _sees(principal, person.grant):
        raise people_service.NobodyKnown("no such person, or your API key may not see them")
    check_rights(principal, person.grant.permissions, person.grant.scopes, principal.teams)
    if person.key_id == principal.key_id:
        raise NotPermitted("nobody changes their own role: ask another administrator")


def _model(person: Person) -> PersonModel:
    scopes = person.grant.scopes
    return PersonModel(
        issuer=person.issuer,
        subject=person.subject,
        person=person.person,
        role=person.grant.role,
        scopes=None if scopes is None else [str(scope) for scope in scopes],
        is_set=person.is_set,
        kept_out=person.is_kept_out,
        signed_in_at=person.signed_in_at,
        changed_at=person.changed_at,
        changed_by=person.changed_by,
    )
