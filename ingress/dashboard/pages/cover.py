"""Cover: who could take somebody's time on call, asking for it, and answering. A tool call gives it.

After a rough night the product asks by itself; people ask for any time.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from calmo_pagerduty.access.permissions import FINDINGS_READ, FINDINGS_WRITE
from calmo_pagerduty.workload.cover_requests import CoverState
from calmo_pagerduty.workload.cover_service import TOOL
from ingress.api.endpoints import NoInput
from ingress.dashboard.accounts import Account, find_account
from ingress.dashboard.local_times import local_moment
from ingress.dashboard.looks import LOOK_OF_COVER_STATE
from ingress.dashboard.page import Action, Ask, Content, Done, Page
from ingress.dashboard.proposals import judged_tools
from ingress.dashboard.scenario_tables import local_text
from ingress.dashboard.schedule_parts import candidate_table, cover_asked, cover_values
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table
from ingress.tools.models import ToolCallModel
from ingress.workload.models import CoverAnswerBody, CoverQuery, CoverRequestListQuery, CoverRequestModel

PATH = f"{ROOT}/schedules/cover"


class RequestRow(NamedTuple):
    """A request with local times, its schedule's name, and what links end with."""

    request: CoverRequestModel
    schedule: str
    start: str
    end: str
    query: str

    @property
    def why(self) -> str:
        return "rough night" if self.request.reason == "rough_night" else "asked by a person"


async def show_list(ask: Ask) -> Content:
    """GET /dashboard/schedules/cover: requests, and suggestions for the time in the address."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    listed = await ask.ingress.covers.list(account.request, ask.caller, CoverRequestListQuery())
    rows = [_row(account, item) for item in listed.requests]
    schedule = account.index.schedules.get(ask.request.query_params.get("schedule", ""))
    asked = await cover_asked(account, schedule)
    return account.content(
        {
            **cover_values(account, asked),
            "schedule": schedule,
            "options": account.options(),
            "zone": account.zone().key,
        },
        {
            "open": request_table(
                "Open requests", [row for row in rows if _is_open(row)], "Nobody is asked."
            ),
            "ended": request_table("Ended", [row for row in rows if not _is_open(row)], "None yet."),
            "candidates": candidate_table(asked),
        },
    )


async def show_request(ask: Ask) -> Content:
    """GET /dashboard/schedules/cover/{id}. Raises ResourceNotFound."""
    request = await ask.ingress.covers.show(ask.request, ask.caller, NoInput())
    account = await find_account(ask, request.connection_id)
    if account.snapshot is None:
        return account.content()
    tool = (await judged_tools(ask, request.connection_id))[TOOL]
    person = ask.caller.person
    is_own = person is not None and person == request.person["id"]
    manages = ask.caller.persons.everybody
    answerers = [item for item in request.asked if manages or item["id"] == person]
    evidence = request.evidence
    return account.content(
        {
            "row": _row(account, request),
            "answerers": answerers,
            "person": person,
            "may_withdraw": is_own or manages,
            "tool": tool,
            "expires": datetime.fromisoformat(request.expires_at),
            "asked_at": datetime.fromisoformat(request.created_at),
            "interruptions": evidence.get("interruptions"),
            "call": await _call(account, request),
            "zone": account.zone().key,
        },
        title=f"Cover for {request.person['name']}",
    )


async def suggest_and_ask(ask: Ask) -> Done:
    """POST /dashboard/schedules/cover. Raises NotOnCall, CoverRefused, NotPermitted."""
    account = await find_account(ask, ask.text("connection"))
    zone = account.zone()
    since, until = (local_moment(ask.text(name), zone) for name in ("since", "until"))
    query = CoverQuery.model_validate(
        {"schedule": ask.text("schedule"), "user": ask.text("user"), "since": since, "until": until}
    )
    made = await ask.ingress.covers.ask(account.request, ask.caller, query)
    words = f"Asked {made.candidates} people. The first who accepts closes the request."
    return Done(f"{PATH}/{made.id}{account.query_text}", words)


async def answer(ask: Ask) -> Done:
    """POST /dashboard/schedules/cover/{id}/answer. Raises CoverRefused, NotPermitted, CallRefused."""
    body = CoverAnswerBody.model_validate({"answer": ask.text("answer"), "user_id": ask.text("user")})
    answered = await ask.ingress.covers.answer(ask.request, ask.caller, body)
    path = f"{PATH}/{answered.id}"
    if answered.call_id is None:
        return Done(
            path, {"decline": "Declined.", "withdraw": "Withdrawn: nobody is asked any more."}[body.answer]
        )
    if answered.call_state == "waiting":
        return Done(
            path, "Accepted. The schedule changes when another person approves of the override.", "note"
        )
    return Done(path, "Accepted. The override is being written.")


async def _call(account: Account, request: CoverRequestModel) -> ToolCallModel | None:
    """Return the call that gives the cover, if there is one that the caller may see."""
    ask = account.ask
    if request.call_id is None or not ask.may("tools:read"):
        return None
    return await ask.ingress.tools.show_call(account.request_with(id=request.call_id), ask.caller, NoInput())


def _is_open(row: RequestRow) -> bool:
    return row.request.state == CoverState.OPEN


def _row(account: Account, request: CoverRequestModel) -> RequestRow:
    schedule = account.index.schedules.get(request.schedule_id)
    return RequestRow(
        request,
        request.schedule_id if schedule is None else schedule.name,
        local_text(request.starts_at, account.zone()),
        local_text(request.ends_at, account.zone()),
        account.query_text,
    )


def request_table(caption: str, rows: Sequence[RequestRow], empty: str) -> Table[RequestRow]:
    """Return requests for cover."""
    return Table(
        caption,
        (
            Column("For", lambda row: row.request.person["name"], cell="cover_request"),
            Column(
                "State",
                lambda row: LOOK_OF_COVER_STATE[CoverState(row.request.state)].word,
                cell="cover_state",
            ),
            Column("Schedule", lambda row: row.schedule),
            Column("From", lambda row: row.start),
            Column("Until", lambda row: row.end),
            Column("Why", lambda row: row.why, is_wide_only=True),
            Column("Who is asked", lambda row: ", ".join(person["name"] for person in row.request.asked)),
            Column("Covers", lambda row: (row.request.covering or {}).get("name", "")),
        ),
        rows,
        empty=empty,
    )


PAGES = (
    Page("/schedules/cover", "Cover", FINDINGS_READ, show_list, "cover", tab="Cover"),
    Page("/schedules/cover/{id}", "Request for cover", FINDINGS_READ, show_request, "cover_request"),
)
ACTIONS = (
    Action("/schedules/cover", FINDINGS_WRITE, suggest_and_ask),
    Action("/schedules/cover/{id}/answer", FINDINGS_WRITE, answer),
)
