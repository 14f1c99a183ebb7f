"""What to read for a snapshot, as tasks that stop and go on at any page. Pure.

A snapshot takes over from the one before it what is young enough or does not change: it reads the log from
a little before the last reading on, and of incidents those that were updated since.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from pydantic import Field

from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.snapshots.codec import SnapshotHead
from calmo_pagerduty.snapshots.dependency_model import ServiceKind
from calmo_pagerduty.snapshots.model import AccountSnapshot, SectionName, SectionState

#: How far back incidents and their log are read.
LOOKBACK = timedelta(days=365)
#: The window for which schedules are rendered.
RENDERED_BACK, RENDERED_AHEAD = timedelta(days=91), timedelta(days=92)
#: How long the account's configuration is taken over unread.
CONFIGURATION_TTL = timedelta(minutes=15)
#: How long team roles, business services and standards' scores are: they take a request per team, or change
#: seldom.
SLOW_TTL = timedelta(days=7)
#: PagerDuty writes log entries late.
LOG_OVERLAP = timedelta(minutes=10)
#: Analytics lag by up to a day, so later incidents come from the list of incidents.
ANALYTICS_LAG = timedelta(hours=26)
RECENT = timedelta(hours=48)
#: PagerDuty's longest span of a list of incidents is six months.
INCIDENT_SPAN = timedelta(days=180)
#: An account with more teams keeps the managers of the others unknown.
MAX_TEAMS_READ = 300


class ReadKind(StrEnum):
    LAYER_SCHEDULES = "layer_schedules"
    LAYER_SCHEDULE_DETAILS = "layer_schedule_details"
    SHIFT_SCHEDULES = "shift_schedules"
    SHIFT_SCHEDULE_DETAILS = "shift_schedule_details"
    ON_CALLS = "on_calls"
    POLICIES = "policies"
    SERVICES = "services"
    USERS = "users"
    TEAMS = "teams"
    TEAM_MEMBERS = "team_members"
    MAINTENANCE = "maintenance"
    STANDARDS = "standards"
    BUSINESS_SERVICES = "business_services"
    TECHNICAL_DEPENDENCIES = "technical_dependencies"
    BUSINESS_DEPENDENCIES = "business_dependencies"
    ANALYTICS_INCIDENTS = "analytics_incidents"
    INCIDENTS = "incidents"
    LOG_ENTRIES = "log_entries"


SECTION_OF_KIND: Mapping[ReadKind, SectionName] = {
    ReadKind.LAYER_SCHEDULES: SectionName.SCHEDULES,
    ReadKind.LAYER_SCHEDULE_DETAILS: SectionName.SCHEDULES,
    ReadKind.SHIFT_SCHEDULES: SectionName.SCHEDULES,
    ReadKind.SHIFT_SCHEDULE_DETAILS: SectionName.SCHEDULES,
    ReadKind.ON_CALLS: SectionName.SCHEDULES,
    ReadKind.POLICIES: SectionName.POLICIES,
    ReadKind.SERVICES: SectionName.SERVICES,
    ReadKind.USERS: SectionName.USERS,
    ReadKind.TEAMS: SectionName.TEAMS,
    ReadKind.TEAM_MEMBERS: SectionName.TEAMS,
    ReadKind.MAINTENANCE: SectionName.MAINTENANCE,
    ReadKind.STANDARDS: SectionName.STANDARDS,
    ReadKind.BUSINESS_SERVICES: SectionName.BUSINESS_SERVICES,
    ReadKind.TECHNICAL_DEPENDENCIES: SectionName.DEPENDENCIES,
    ReadKind.BUSINESS_DEPENDENCIES: SectionName.DEPENDENCIES,
    ReadKind.ANALYTICS_INCIDENTS: SectionName.INCIDENTS,
    ReadKind.INCIDENTS: SectionName.INCIDENTS,
    ReadKind.LOG_ENTRIES: SectionName.LOG_ENTRIES,
}
#: What reads the dependencies of one service.
DEPENDENCIES_OF: Mapping[ServiceKind, ReadKind] = {
    ServiceKind.TECHNICAL: ReadKind.TECHNICAL_DEPENDENCIES,
    ServiceKind.BUSINESS: ReadKind.BUSINESS_DEPENDENCIES,
}
#: Sections of the account's configuration, with the lists that they begin with.
CONFIGURATION: Mapping[SectionName, tuple[ReadKind, ...]] = {
    SectionName.SCHEDULES: (ReadKind.LAYER_SCHEDULES, ReadKind.SHIFT_SCHEDULES),
    SectionName.POLICIES: (ReadKind.POLICIES,),
    SectionName.SERVICES: (ReadKind.SERVICES,),
    SectionName.USERS: (ReadKind.USERS,),
    SectionName.TEAMS: (ReadKind.TEAMS,),
    SectionName.MAINTENANCE: (ReadKind.MAINTENANCE,),
    SectionName.BUSINESS_SERVICES: (ReadKind.BUSINESS_SERVICES,),
    # Their ids are those of the services of both kinds.
    SectionName.DEPENDENCIES: (),
}
#: A section in another state holds nothing.
USABLE_STATES = (SectionState.COMPLETE, SectionState.PARTIAL)


class ReadTask(FrozenModel):
    """A list, or objects by id. Times are epoch seconds (UTC).

    `cursor` is the position in the list, `ids` are the objects still to read. `updated_after` narrows
    incidents of the analytics.
    """

    kind: ReadKind
    since: int | None = None
    until: int | None = None
    updated_after: int | None = None
    cursor: str | None = None
    ids: tuple[str, ...] = ()
    is_done: bool = False
    #: How it went so far, and in words why it isn't complete.
    state: SectionState = SectionState.COMPLETE
    reason: str = ""
    count: int = 0

    @property
    def key(self) -> tuple[ReadKind, int | None, int | None]:
        """What tells it from the other tasks of a reading."""
        return self.kind, self.since, self.until


class ReadTimes(FrozenModel):
    """When the parts of a snapshot were read that another one may take over. Epoch seconds (UTC)."""

    log_entries: int | None = None
    incidents: int | None = None
    #: False: from the list of incidents.
    incidents_from_analytics: bool = False
    team_members: int | None = None
    standards: int | None = None
    business_services: int | None = None


class ReadingProgress(FrozenModel):
    """How far the reading of a snapshot is. It is stored after each step.

    `base_id` is the snapshot before, `reused` the sections that are copied from it.
    """

    base_id: str | None = None
    #: The account was changed just now: no schedule is continued.
    is_fresh: bool = False
    reused: tuple[SectionName, ...] = ()
    tasks: tuple[ReadTask, ...] = ()
    steps: int = 0
    requests: int = 0
    times: ReadTimes = Field(default_factory=ReadTimes)
    #: Those of the snapshot before.
    base_times: ReadTimes = Field(default_factory=ReadTimes)
    #: When the section's last page was read.
    fetched_at: dict[SectionName, int] = Field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """True if there is nothing left to read."""
        return all(task.is_done for task in self.tasks)

    @property
    def tasks_done(self) -> int:
        return sum(task.is_done for task in self.tasks)


class Base(FrozenModel):
    """The snapshot before: what a new one may take over."""

    id: str
    taken_at: int
    rendered_since: int
    rendered_until: int
    times: ReadTimes
    usable: frozenset[SectionName]
    complete: frozenset[SectionName]
    log_since: int | None = None
    incidents_since: int | None = None


def base_of(snapshot: AccountSnapshot | SnapshotHead, times: ReadTimes) -> Base:
    """Return what a new snapshot may take over of this one, whose parts were read at `times`."""
    read = {section.name: section for section in snapshot.sections}
    log, incidents = read.get(SectionName.LOG_ENTRIES), read.get(SectionName.INCIDENTS)
    return Base(
        id=snapshot.id,
        taken_at=snapshot.taken_at,
        rendered_since=snapshot.rendered_since,
        rendered_until=snapshot.rendered_until,
        times=times,
        usable=frozenset(name for name, section in read.items() if section.state in USABLE_STATES),
        complete=frozenset(name for name, section in read.items() if section.state is SectionState.COMPLETE),
        log_since=log.since if log else None,
        incidents_since=incidents.since if incidents else None,
    )


def rendered_window(now: int, base: Base | None, is_fresh: bool) -> tuple[int, int]:
    """Return the window for which schedules are rendered: the base's if its schedules are taken over."""
    if base is not None and SectionName.SCHEDULES in reusable_sections(now, base, is_fresh):
        return base.rendered_since, base.rendered_until
    return now - int(RENDERED_BACK.total_seconds()), now + int(RENDERED_AHEAD.total_seconds())


def reusable_sections(now: int, base: Base | None, is_fresh: bool) -> tuple[SectionName, ...]:
    """Return the sections that are young enough to be copied. `is_fresh`: read the configuration anew."""
    if base is None:
        return ()
    young = now - base.taken_at < CONFIGURATION_TTL.total_seconds() and not is_fresh
    sections = [name for name in CONFIGURATION if young and name in base.complete]
    slow = {
        SectionName.STANDARDS: base.times.standards,
        SectionName.BUSINESS_SERVICES: None if is_fresh else base.times.business_services,
    }
    still_young = [name for name, read_at in slow.items() if is_young(read_at, now) and name in base.complete]
    return tuple(dict.fromkeys((*sections, *still_young)))


def plan_reading(now: int, base: Base | None, is_fresh: bool = False) -> ReadingProgress:
    """Return what to read at `now` (epoch seconds). `is_fresh`: the account was changed just now."""
    copied = reusable_sections(now, base, is_fresh)
    kinds = [kind for name, kinds in CONFIGURATION.items() if name not in copied for kind in kinds]
    times = ReadTimes(
        log_entries=now,
        incidents=now,
        incidents_from_analytics=True,
        team_members=_kept_time(base.times.team_members if base else None, now),
        standards=base.times.standards if base and SectionName.STANDARDS in copied else now,
        business_services=(
            base.times.business_services if base and SectionName.BUSINESS_SERVICES in copied else now
        ),
    )
    tasks = [ReadTask(kind=kind) for kind in kinds]
    if SectionName.STANDARDS not in copied:
        # Its ids are those of the services, which may be copied.
        tasks.append(ReadTask(kind=ReadKind.STANDARDS, is_done=SectionName.SERVICES not in copied))
    return ReadingProgress(
        base_id=base.id if base else None,
        is_fresh=is_fresh,
        reused=copied,
        tasks=(*tasks, *_incident_tasks(now, base), *_log_tasks(now, base)),
        times=times,
        base_times=base.times if base else ReadTimes(),
    )


def is_young(read_at: int | None, now: int) -> bool:
    """Tell whether what takes a request per object was read recently enough to be taken over."""
    return read_at is not None and now - read_at < SLOW_TTL.total_seconds()


def knows_team_roles(progress: ReadingProgress, now: int) -> bool:
    """Tell whether the base's team roles are young enough to be taken over."""
    return is_young(progress.base_times.team_members, now)


def _kept_time(read_at: int | None, now: int) -> int:
    return read_at if read_at is not None and is_young(read_at, now) else now


def _incident_tasks(now: int, base: Base | None) -> list[ReadTask]:
    begin = now - _seconds(LOOKBACK)
    recent = ReadTask(kind=ReadKind.INCIDENTS, since=now - _seconds(RECENT), until=now)
    updated_after = None
    if base is not None and SectionName.INCIDENTS in base.usable and base.times.incidents_from_analytics:
        updated_after = (base.times.incidents or base.taken_at) - _seconds(ANALYTICS_LAG)
    analytics = ReadTask(
        kind=ReadKind.ANALYTICS_INCIDENTS, since=begin, until=now, updated_after=updated_after
    )
    return [analytics, recent]


def without_analytics(progress: ReadingProgress, now: int, base: Base | None) -> ReadingProgress:
    """Return the progress with incidents read from the list instead, in spans that PagerDuty allows.

    Without analytics, incidents that the base knows are not read again: the log tells how they end.
    """
    begin = now - _seconds(LOOKBACK)
    if base is not None and SectionName.INCIDENTS in base.usable and base.incidents_since is not None:
        begin = (base.times.incidents or base.taken_at) - _seconds(LOG_OVERLAP)
    until = now - _seconds(RECENT)
    spans = _spans(begin, until, _seconds(INCIDENT_SPAN)) if begin < until else []
    tasks = tuple(task for task in progress.tasks if task.kind is not ReadKind.ANALYTICS_INCIDENTS)
    listed = [ReadTask(kind=ReadKind.INCIDENTS, since=since, until=end) for since, end in spans]
    times = progress.times.model_copy(update={"incidents_from_analytics": False})
    return progress.model_copy(update={"tasks": (*listed, *tasks), "times": times})


def _log_tasks(now: int, base: Base | None) -> list[ReadTask]:
    """Return the log's reading by months, newest first, or from the watermark on."""
    if base is not None and base.times.log_entries is not None and SectionName.LOG_ENTRIES in base.usable:
        since = base.times.log_entries - _seconds(LOG_OVERLAP)
        return [ReadTask(kind=ReadKind.LOG_ENTRIES, since=since, until=now)]
    begin = now - _seconds(LOOKBACK)
    bounds = [begin, *(month for month in _month_starts(begin, now) if month > begin), now]
    windows = list(pairwise(bounds))
    return [ReadTask(kind=ReadKind.LOG_ENTRIES, since=since, until=end) for since, end in reversed(windows)]


def log_since(now: int, base: Base | None) -> int:
    """Return since when the snapshot knows the log: whole months are dropped when they get too old."""
    oldest = now - _seconds(LOOKBACK)
    if base is None or base.log_since is None or SectionName.LOG_ENTRIES not in base.usable:
        return oldest
    return max(base.log_since, month_start(oldest))


def incidents_since(now: int, base: Base | None) -> int:
    """Return since when the snapshot knows incidents."""
    oldest = now - _seconds(LOOKBACK)
    if base is None or base.incidents_since is None or SectionName.INCIDENTS not in base.usable:
        return oldest
    return max(base.incidents_since, month_start(oldest))


def month_start(at: int) -> int:
    """Return the first second of the month (UTC)."""
    moment = datetime.fromtimestamp(at, UTC)
    return int(datetime(moment.year, moment.month, 1, tzinfo=UTC).timestamp())


def _month_starts(since: int, until: int) -> list[int]:
    starts = [month_start(since)]
    while starts[-1] < until:
        moment = datetime.fromtimestamp(starts[-1], UTC)
        year, month = divmod(moment.year * 12 + moment.month, 12)
        starts.append(int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp()))
    return starts[:-1]


def _spans(since: int, until: int, size: int) -> list[tuple[int, int]]:
    starts = range(since, until, size)
    return [(start, min(start + size, until)) for start in starts]


def add_ids(progress: ReadingProgress, kind: ReadKind, ids: Sequence[str]) -> ReadingProgress:
    """Return the progress with more objects to read by id."""
    if not ids:
        return progress
    tasks = list(progress.tasks)
    for index, task in enumerate(tasks):
        if task.kind is kind:
            added = (*task.ids, *(identity for identity in ids if identity not in task.ids))
            tasks[index] = task.model_copy(update={"ids": added, "is_done": False})
            break
    else:
        tasks.append(ReadTask(kind=kind, ids=tuple(dict.fromkeys(ids))))
    return progress.model_copy(update={"tasks": tuple(tasks)})


def section_outcome(tasks: Iterable[ReadTask]) -> tuple[SectionState, str]:
    """Return how a section was read, of the tasks that read it, and in words why it isn't complete."""
    found = list(tasks)
    reasons = "; ".join(dict.fromkeys(task.reason for task in found if task.reason))
    states = {task.state for task in found}
    if states <= {SectionState.COMPLETE}:
        return SectionState.COMPLETE, reasons
    if len(states) == 1:
        return states.pop(), reasons
    return SectionState.PARTIAL, reasons


def _seconds(time: timedelta) -> int:
    return int(time.total_seconds())
