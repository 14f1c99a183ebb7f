"""Reads the pages of one step of a snapshot: several tasks at once, within a budget of requests."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any, Final

from calmo_pagerduty.connections.background_client import PAGE_SIZE, BackgroundClient
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject, as_object, as_objects
from calmo_pagerduty.pagerduty.errors import (
    AccessDenied,
    InvalidRequest,
    NotFound,
    NotInPlan,
    PagerDutyError,
    RateLimited,
    Refused,
    TokenRejected,
)
from calmo_pagerduty.pagerduty.requests import ListResult
from calmo_pagerduty.snapshots.continuing import (
    MAX_AGE,
    SCHEDULES_AT_ONCE,
    ContinueSchedule,
    agrees,
    continuable,
    on_call_question,
    on_calls_by_schedule,
)
from calmo_pagerduty.snapshots.dependency_model import (
    ServiceDependencies,
    ServiceKey,
    ServiceKind,
)
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Schedule,
    SectionName,
    SectionState,
    Team,
)
from calmo_pagerduty.snapshots.parsing import (
    parse_all,
    parse_dependency,
    parse_id,
    parse_ids,
    parse_managers,
    parse_name,
    parse_scores,
)
from calmo_pagerduty.snapshots.reading import (
    MAX_TEAMS_READ,
    SECTION_OF_KIND,
    ReadingProgress,
    ReadKind,
    ReadTask,
    add_ids,
    base_of,
    knows_team_roles,
    without_analytics,
)
from calmo_pagerduty.snapshots.requests import LISTS, SCORES_AT_ONCE, Window
from calmo_pagerduty.snapshots.schedule_parsing import (
    CUSTOM_SHIFT,
    OVERRIDE,
    is_rendered,
    known_overrides,
    parse_layer_schedule,
    parse_shift_schedule,
    rendered_overrides,
    shift_sources,
)

#: Requests per step. An interrupted step loses no more than these.
STEP_REQUESTS = 40
#: How many requests are on their way at once. PagerDuty asks for few.
CONCURRENT_READS = 3
#: Rows of an answer about on-calls. A longer one proves nothing.
MAX_ON_CALLS = 1_000
#: Kinds whose reading takes over what the snapshot before knows.
USING_BASE = (
    ReadKind.LAYER_SCHEDULES,
    ReadKind.LAYER_SCHEDULE_DETAILS,
    ReadKind.SHIFT_SCHEDULES,
    ReadKind.ON_CALLS,
    ReadKind.TEAMS,
    ReadKind.SERVICES,
    ReadKind.BUSINESS_SERVICES,
    ReadKind.ANALYTICS_INCIDENTS,
)
#: How many ids of a kind one read takes.
_IDS_AT_ONCE: Mapping[ReadKind, int] = {
    ReadKind.STANDARDS: SCORES_AT_ONCE,
    ReadKind.ON_CALLS: SCHEDULES_AT_ONCE,
}

_STATE_OF_REFUSAL: Final[tuple[tuple[type[Refused], SectionState], ...]] = (
    (NotInPlan, SectionState.NOT_IN_PLAN),
    (AccessDenied, SectionState.FORBIDDEN),
    (NotFound, SectionState.FORBIDDEN),
)
#: An object that was deleted, or upgraded to the other kind, since its list was read is left out.
_DETAILS = (
    ReadKind.LAYER_SCHEDULE_DETAILS,
    ReadKind.SHIFT_SCHEDULE_DETAILS,
    ReadKind.TEAM_MEMBERS,
    ReadKind.TECHNICAL_DEPENDENCIES,
    ReadKind.BUSINESS_DEPENDENCIES,
)
#: An account without shift-based schedules may not know their address.
_NONE_THERE = (NotInPlan, NotFound)


class StepReader:
    """Reads until the budget is used, everything is read, or PagerDuty has trouble.

    `progress` and `items` hold the result, also after an error. `before` is the configuration of the
    snapshot before.
    """

    def __init__(
        self,
        client: BackgroundClient,
        progress: ReadingProgress,
        window: Window,
        taken_at: int,
        before: AccountSnapshot | None,
        continue_schedule: ContinueSchedule,
    ) -> None:
        self.items: dict[SectionName, list[Any]] = {}
        self._client = client
        self._window = window
        self._taken_at = taken_at
        self._before = before
        self._continue_schedule = continue_schedule
        self._progress = progress.model_copy(update={"steps": progress.steps + 1})
        self._busy: set[tuple[Any, ...]] = set()
        self._busy_ids: set[tuple[ReadKind, str]] = set()
        self._trouble: PagerDutyError | None = None
        self._readers: Mapping[ReadKind, Callable[[tuple[str, ...]], Awaitable[list[Any]]]] = {
            ReadKind.LAYER_SCHEDULE_DETAILS: self._read_layer_schedule,
            ReadKind.SHIFT_SCHEDULE_DETAILS: self._read_shift_schedule,
            ReadKind.ON_CALLS: self._continue_schedules,
            ReadKind.TEAM_MEMBERS: self._read_team_roles,
            ReadKind.STANDARDS: self._read_scores,
            ReadKind.TECHNICAL_DEPENDENCIES: partial(self._read_dependencies, ServiceKind.TECHNICAL),
            ReadKind.BUSINESS_DEPENDENCIES: partial(self._read_dependencies, ServiceKind.BUSINESS),
        }

    @property
    def progress(self) -> ReadingProgress:
        requests = self._progress.requests + self._client.requests
        return self._progress.model_copy(update={"requests": requests})

    async def read(self) -> None:
        """Read within the budget. Raises PagerDutyError: the token is refused, or a retry may help."""
        await asyncio.gather(*(self._work() for _ in range(CONCURRENT_READS)))
        if self._trouble is not None:
            raise self._trouble

    async def _work(self) -> None:
        while self._trouble is None and self._client.requests < STEP_REQUESTS:
            task = self._next_task()
            if task is None:
                return
            try:
                await (self._read_ids(task) if task.kind in self._readers else self._read_list(task))
            except TokenRejected as error:
                self._trouble = error
            except Refused as error:
                self._refuse(task.key, error)
            except PagerDutyError as error:
                if isinstance(error, RateLimited) and error.daily:
                    self._use_no_analytics()
                else:
                    self._trouble = error

    def _next_task(self) -> ReadTask | None:
        """Return a task that nobody works on; of a task by ids, there are more than those being read."""
        for task in self._progress.tasks:
            if task.is_done or task.key in self._busy:
                continue
            if task.kind not in self._readers or self._free_ids(task):
                return task
        return None

    def _free_ids(self, task: ReadTask) -> tuple[str, ...]:
        free = [identity for identity in task.ids if (task.kind, identity) not in self._busy_ids]
        return tuple(free[: _IDS_AT_ONCE.get(task.kind, 1)])

    async def _read_list(self, task: ReadTask) -> None:
        listing = LISTS[task.kind]
        self._busy.add(task.key)
        try:
            page = await self._client.page(listing.listing(task, self._window))
            items = await self._parse_page(task, page)
        finally:
            self._busy.discard(task.key)
        reason = "; ".join(dict.fromkeys(filter(None, (task.reason, *page.notes))))
        self._update(
            task.key,
            cursor=page.next,
            is_done=page.next is None,
            count=task.count + len(page.items),
            reason=reason,
            state=SectionState.PARTIAL if page.notes else task.state,
        )
        self._keep(task.kind, items)

    async def _parse_page(self, task: ReadTask, page: ListResult) -> Iterable[Any]:
        """Parse the page's items. What each item needs besides is read, or noted to be read by id."""
        ids = parse_ids(page.items)
        match task.kind:
            case ReadKind.LAYER_SCHEDULES:
                return await self._layer_schedules(page.items)
            case ReadKind.SHIFT_SCHEDULES:
                self._note_shift_schedules(page.items)
                return ()
            case ReadKind.SERVICES:
                if SectionName.STANDARDS not in self._progress.reused:
                    self._add_ids(ReadKind.STANDARDS, ids)
                unread = self._without_young_dependencies(ServiceKind.TECHNICAL, ids)
                self._add_ids(ReadKind.TECHNICAL_DEPENDENCIES, unread)
            case ReadKind.BUSINESS_SERVICES:
                unread = self._without_young_dependencies(ServiceKind.BUSINESS, ids)
                self._add_ids(ReadKind.BUSINESS_DEPENDENCIES, unread)
            case ReadKind.TEAMS:
                self._add_ids(ReadKind.TEAM_MEMBERS, self._teams_to_read(ids))
        return parse_all(LISTS[task.kind].parse, page.items)

    def _without_young_dependencies(self, kind: ServiceKind, ids: Sequence[str]) -> tuple[str, ...]:
        """Return the services whose dependencies were never read, or too long ago."""
        oldest = self._taken_at - MAX_AGE.total_seconds()
        return tuple(
            service_id
            for service_id in ids
            if self._dependencies_read_at.get(ServiceKey(kind, service_id), 0) <= oldest
        )

    @cached_property
    def _dependencies_read_at(self) -> Mapping[ServiceKey, int]:
        return {item.service: item.read_at for item in self._before.dependencies} if self._before else {}

    def _teams_to_read(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Return the teams whose roles aren't known."""
        known: set[str] = set()
        if self._before is not None and knows_team_roles(self._progress, self._taken_at):
            known = {team.id for team in self._before.teams if team.manager_ids is not None}
        unread = sum(len(task.ids) for task in self._progress.tasks if task.kind is ReadKind.TEAM_MEMBERS)
        return tuple(team_id for team_id in ids if team_id not in known)[: MAX_TEAMS_READ - unread]

    async def _layer_schedules(self, items: Sequence[JsonObject]) -> list[Schedule]:
        """Parse listed schedules; those that the list does not render are read by id."""
        listed = [item for item in items if is_rendered(item)]
        self._add_ids(
            ReadKind.LAYER_SCHEDULE_DETAILS, parse_ids([item for item in items if not is_rendered(item)])
        )
        return [schedule for item in listed if (schedule := await self._layer_schedule(item))]

    async def _layer_schedule(self, item: JsonObject) -> Schedule | None:
        schedule = parse_layer_schedule(item)
        if schedule is None:
            return None
        schedule = replace(schedule, read_at=_now())
        if not rendered_overrides(item):
            return schedule
        window = Span(self._window.since, self._window.until)
        overrides = known_overrides(item, self._schedule_before(schedule.id), window)
        if overrides is not None:
            return replace(schedule, overrides=overrides)
        query = self._window.query
        answer = await self._client.get(
            f"/schedules/{schedule.id}/overrides", since=query["since"], until=query["until"]
        )
        listed = parse_layer_schedule(item, as_objects(answer.get("overrides")))
        return None if listed is None else replace(listed, read_at=_now())

    def _note_shift_schedules(self, items: Sequence[JsonObject]) -> None:
        """Note of listed references which are read, and which may be continued."""
        before = self._continuable
        known = [
            schedule.id
            for item in items
            if (schedule := before.get(parse_id(item) or "")) and schedule.name == parse_name(item)
        ]
        self._add_ids(ReadKind.ON_CALLS, known)
        unknown = [schedule_id for schedule_id in parse_ids(items) if schedule_id not in known]
        self._add_ids(ReadKind.SHIFT_SCHEDULE_DETAILS, unknown)

    @cached_property
    def _continuable(self) -> Mapping[str, Schedule]:
        before = self._before
        if before is None or self._progress.is_fresh:
            return {}
        return continuable(before.schedules, before.policies, self._taken_at)

    async def _continue_schedules(self, ids: tuple[str, ...]) -> list[Any]:
        """Return the schedules that go on as before by PagerDuty's on-calls; the others are read."""
        known = [schedule for schedule_id in ids if (schedule := self._continuable.get(schedule_id))]
        continued = await asyncio.to_thread(self._continued, known)
        agreed = await self._agreed(continued) if continued else []
        kept = {schedule.id for schedule in agreed}
        self._add_ids(ReadKind.SHIFT_SCHEDULE_DETAILS, [id for id in ids if id not in kept])
        return agreed

    def _continued(self, schedules: Sequence[Schedule]) -> list[Schedule]:
        assert self._before is not None
        rendered = Span(self._before.rendered_since, self._before.rendered_until)
        window = Span(self._window.since, self._window.until)
        found = (self._continue_schedule(schedule, rendered, window) for schedule in schedules)
        return [schedule for schedule in found if schedule is not None]

    async def _agreed(self, schedules: Sequence[Schedule]) -> list[Schedule]:
        assert self._before is not None
        question = on_call_question(schedules, self._before.policies, _now())
        times = Window(question.window.start, question.window.end).query
        ids = {"escalation_policy_ids[]": question.policy_ids, "schedule_ids[]": question.schedule_ids}
        rows, is_whole = await self._client.list_items("/oncalls", "oncalls", MAX_ON_CALLS, **times, **ids)
        on_calls = on_calls_by_schedule(rows, question.window)
        return [
            replace(schedule, agreed_until=question.window.end)
            for schedule in schedules
            if is_whole and agrees(schedule, on_calls.get(schedule.id, ()), question.window)
        ]

    def _schedule_before(self, schedule_id: str) -> Schedule | None:
        schedules = self._before.schedules if self._before else ()
        return next((schedule for schedule in schedules if schedule.id == schedule_id), None)

    async def _read_ids(self, task: ReadTask) -> None:
        ids = self._free_ids(task)
        claimed = {(task.kind, identity) for identity in ids}
        self._busy_ids |= claimed
        try:
            items = await self._readers[task.kind](ids)
            self._keep(task.kind, items)
            self._finish_ids(task, ids, len(items))
        except (InvalidRequest, NotFound) as error:
            if task.kind not in _DETAILS:
                raise
            self._finish_ids(task, ids, 0)
            if isinstance(error, InvalidRequest):
                self._update(task.key, state=SectionState.PARTIAL, reason=_reason(task.kind, error))
        finally:
            self._busy_ids -= claimed

    def _finish_ids(self, task: ReadTask, ids: Sequence[str], count: int) -> None:
        current = self._task(task.key)
        left = tuple(identity for identity in current.ids if identity not in ids)
        self._update(task.key, ids=left, is_done=not left, count=current.count + count)

    async def _read_layer_schedule(self, ids: tuple[str, ...]) -> list[Any]:
        answer = await self._client.get(f"/schedules/{ids[0]}", **self._window.query)
        schedule = await self._layer_schedule(as_object(answer.get("schedule")))
        return [] if schedule is None else [schedule]

    async def _read_shift_schedule(self, ids: tuple[str, ...]) -> list[Any]:
        path = f"/v3/schedules/{ids[0]}"
        answer = await self._client.get(path, **self._window.query, **{"include[]": "final_schedule"})
        item = as_object(answer.get("schedule"))
        sources = shift_sources(item)
        query = self._window.query
        lists: dict[str, list[JsonObject]] = {}
        for source, name in ((CUSTOM_SHIFT, "custom_shifts"), (OVERRIDE, "overrides")):
            lists[name] = []
            # An override of a shift that has moved shows nowhere else.
            if source in sources or source == OVERRIDE:
                lists[name], _ = await self._client.list_items(
                    f"{path}/{name}", name, 10 * PAGE_SIZE, since=query["since"], until=query["until"]
                )
        schedule = parse_shift_schedule(item, lists["custom_shifts"], lists["overrides"])
        return [] if schedule is None else [replace(schedule, read_at=_now())]

    async def _read_team_roles(self, ids: tuple[str, ...]) -> list[Any]:
        members, _ = await self._client.list_items(f"/teams/{ids[0]}/members", "members", 10 * PAGE_SIZE)
        return [Team(ids[0], "", manager_ids=parse_managers(members))]

    async def _read_dependencies(self, kind: ServiceKind, ids: tuple[str, ...]) -> list[Any]:
        answer = await self._client.get(f"/service_dependencies/{kind}s/{ids[0]}")
        read_at = _now()
        found = parse_all(
            lambda item: parse_dependency(item, read_at), as_objects(answer.get("relationships"))
        )
        return [ServiceDependencies(ServiceKey(kind, ids[0]), read_at, found)]

    async def _read_scores(self, ids: tuple[str, ...]) -> list[Any]:
        answer = await self._client.get("/standards/scores/technical_services", **{"ids[]": ids})
        return [score for row in as_objects(answer.get("resources")) for score in parse_scores(row)]

    def _refuse(self, key: tuple[Any, ...], error: Refused) -> None:
        """End a task that PagerDuty refuses. What it has read so far stays."""
        task = self._task(key)
        if task.kind is ReadKind.ANALYTICS_INCIDENTS:
            self._use_no_analytics()
            return
        if task.kind is ReadKind.ON_CALLS:
            # Without on-calls nothing shows that a schedule is as before.
            self._add_ids(ReadKind.SHIFT_SCHEDULE_DETAILS, task.ids)
            self._update(key, is_done=True, ids=())
            return
        if task.kind is ReadKind.SHIFT_SCHEDULES and isinstance(error, _NONE_THERE):
            self._update(key, is_done=True, cursor=None)
            return
        refused = (state for kind, state in _STATE_OF_REFUSAL if isinstance(error, kind))
        state = SectionState.PARTIAL if task.count else next(refused, SectionState.UNAVAILABLE)
        reason = _reason(task.kind, error)
        self._update(key, is_done=True, cursor=None, ids=(), state=state, reason=reason)

    def _use_no_analytics(self) -> None:
        base = base_of(self._before, self._progress.base_times) if self._before else None
        self._progress = without_analytics(self._progress, self._taken_at, base)

    def _task(self, key: tuple[Any, ...]) -> ReadTask:
        return next(task for task in self._progress.tasks if task.key == key)

    def _update(self, key: tuple[Any, ...], **changes: Any) -> None:
        tasks = (
            task.model_copy(update=changes) if task.key == key else task for task in self._progress.tasks
        )
        self._progress = self._progress.model_copy(update={"tasks": tuple(tasks)})

    def _add_ids(self, kind: ReadKind, ids: Sequence[str]) -> None:
        self._progress = add_ids(self._progress, kind, ids)

    def _keep(self, kind: ReadKind, items: Iterable[Any]) -> None:
        section = SECTION_OF_KIND[kind]
        self.items.setdefault(section, []).extend(items)
        fetched_at = {**self._progress.fetched_at, section: _now()}
        self._progress = self._progress.model_copy(update={"fetched_at": fetched_at})


def _now() -> int:
    return int(datetime.now(UTC).timestamp())


def _reason(kind: ReadKind, error: PagerDutyError) -> str:
    return f"{kind.replace('_', ' ')}: {error.message}"
