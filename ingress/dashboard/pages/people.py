"""People: who signs in through the OpenID provider, in which role and organisations, and who gave it."""

from collections.abc import Mapping, Sequence

from calmo_pagerduty.access.permissions import KEYS_WRITE
from calmo_pagerduty.access.roles import PERMISSIONS_OF_ROLE, Role
from ingress.api.endpoints import NoInput
from ingress.api.people import PersonBody, PersonModel, RemovalQuery
from ingress.dashboard.page import Action, Ask, Content, Done, Page
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table

HERE = f"{ROOT}/people"
WORDS_OF_ROLE: Mapping[Role, str] = {
    Role.VIEWER: "reads issues, findings, connections and tools",
    Role.RESPONDER: "also acts on incidents, calls tools, and reads the delivery log",
    Role.LEAD: "also approves, decides on findings, sees persons, reads webhooks and the audit",
    Role.ADMINISTRATOR: "also manages webhooks, connections, keys and people",
    Role.OPERATOR: "may do everything, in all organisations",
}


async def show(ask: Ask) -> Content:
    """GET /dashboard/people: the people who see no more than the caller does."""
    people = (await ask.ingress.people.list(ask.request, ask.caller, NoInput())).people
    may_give = [role for role in Role if PERMISSIONS_OF_ROLE[role] <= ask.caller.permissions]
    if not ask.caller.visibility.everything:
        may_give = [role for role in may_give if role is not Role.OPERATOR]
    return Content(
        {
            "provider": ask.ingress.services.settings.oidc_issuer,
            "roles": WORDS_OF_ROLE,
            "may_give": may_give,
        },
        {"people": _people_table(people)},
    )


async def give_role(ask: Ask) -> Done:
    """POST /dashboard/people. Raises ValidationError, NotPermitted, InvalidGrant, ResourceNotFound."""
    body = PersonBody.model_validate(
        {
            "subject": ask.text("subject") or "",
            "role": ask.text("role") or "",
            "scopes": (ask.text("scopes") or "").replace(",", " ").split(),
            "person": ask.text("person"),
        }
    )
    person = await ask.ingress.people.set(ask.request, ask.caller, body)
    return Done(HERE, f"{person.person} is {person.role} now. It holds with their next request.")


async def remove(ask: Ask) -> Done:
    """POST /dashboard/people/remove. Raises NotPermitted, NobodyKnown, ResourceNotFound."""
    keep_out = ask.text("keep_out") == "yes"
    query = RemovalQuery(subject=ask.text("subject") or "", keep_out=keep_out)
    person = await ask.ingress.people.remove(ask.request, ask.caller, query)
    how = "kept out from now on" if keep_out else "removed; their groups may let them in again"
    return Done(HERE, f"{person.person} is {how}. Their sessions and the keys that they made have ended.")


def _people_table(people: Sequence[PersonModel]) -> Table[PersonModel]:
    return Table(
        "People",
        (
            Column("Person", lambda person: f"{person.person} ({person.subject})", cell="person"),
            Column("Role", lambda person: "kept out" if person.kept_out else person.role, cell="person_role"),
            Column("Sees", lambda p: "everything" if p.scopes is None else ", ".join(p.scopes)),
            Column("Given by", lambda person: person.changed_by or "", cell="person_given"),
            Column("Signed in", lambda person: str(person.signed_in_at or "never"), cell="person_signed_in"),
            Column("Change", lambda _person: "", cell="person_actions"),
        ),
        people,
        empty="Nobody has signed in through the provider yet, and nobody has been given a role.",
    )


LIST = Page(
    "/people",
    "People",
    KEYS_WRITE,
    show,
    "people",
    menu="People",
    sets_up="Who signs in through your OpenID provider, in which role and organisations.",
)
PAGES = (LIST,)
ACTIONS = (
    Action("/people", KEYS_WRITE, give_role),
    Action("/people/remove", KEYS_WRITE, remove),
)
