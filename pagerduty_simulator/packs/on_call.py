"""Packs for on-call analyses: each plants one fault into a company whose on-call is in order.

A placebo is made from the same seed without the fault. What a pack adds beside its fault, the placebo has
too: as many incidents, overrides that are right, a policy of two levels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from pagerduty_simulator import identifiers
from pagerduty_simulator.account import Account
from pagerduty_simulator.contacts import notification_rules
from pagerduty_simulator.events import Event
from pagerduty_simulator.layer_schedules import Layer, LayerSchedule, Override
from pagerduty_simulator.packs.on_call_company import (
    DAYS,
    DELAYS,
    OnCallCompany,
    OnCallTeam,
    build_on_call_company,
    first_handover,
)
from pagerduty_simulator.references import Site
from pagerduty_simulator.resources import ScheduleTarget
from pagerduty_simulator.shift_schedules import ShiftOverride, ShiftSchedule

_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
#: How many further incidents the packs of pages and of dead ends have.
_MORE: Final = (30, 45)
_SLEPT: Final = 4
_PING_PONG: Final = 6


@dataclass(frozen=True, slots=True)
class OnCallTruth:
    """What was planted: the fault's name, and the ids and times (UTC) that a finding must name.

    `fault` is None in a placebo, and then everything else is empty.
    """

    fault: str | None = None
    policy_id: str | None = None
    schedule_id: str | None = None
    user_id: str | None = None
    #: The level's number, from 1.
    level: int | None = None
    rule_id: str | None = None
    override_id: str | None = None
    service_id: str | None = None
    #: The gap's bounds, or of a cliff the last moment with somebody on call.
    since: datetime | None = None
    until: datetime | None = None
    incident_ids: tuple[str, ...] = ()


class OnCallWorld(NamedTuple):
    """An account and what is true of it."""

    account: Account
    truth: OnCallTruth


class OnCallPack(Protocol):
    """Makes a world; the same seed and time give the same world."""

    def __call__(
        self, *, now: Callable[[], datetime], seed: int, placebo: bool = False, site: Site | None = None
    ) -> OnCallWorld:
        """Return the world; the placebo lacks the fault."""
        ...


class _Plant(Protocol):
    """Plants the fault, or what the placebo has in its place, before the past is played."""

    def __call__(self, company: OnCallCompany, team: OnCallTeam, *, placebo: bool) -> OnCallTruth: ...


def _pack(fault: str, plant: _Plant, *, shifts: Callable[[int], bool] = lambda _seed: False) -> OnCallPack:
    def make(
        *, now: Callable[[], datetime], seed: int, placebo: bool = False, site: Site | None = None
    ) -> OnCallWorld:
        company = build_on_call_company(now=now, seed=f"{fault}/{seed}", site=site, shifts=shifts(seed))
        company.everyday(company.now - DAYS * _DAY)
        truth = plant(company, company.rng.choice(company.teams), placebo=placebo)
        truth = OnCallTruth() if placebo else replace(truth, fault=fault)
        company.play()
        account = company.account
        titles = {incident.title: incident.id for incident in account.incidents.values()}
        ids = tuple(titles[title] for title in truth.incident_ids)
        return OnCallWorld(account, replace(truth, incident_ids=ids))

    return make


def _some_handover(company: OnCallCompany, schedule: LayerSchedule, days: tuple[int, int]) -> datetime:
    """Return a handover of the schedule within these days from now."""
    layer = schedule.layers[0]
    ahead = company.rng.randrange(*days)
    shifts = schedule.layer_shifts(layer, company.now, company.now + (days[1] + 2) * _DAY)
    return shifts[ahead].start


def _set_level(company: OnCallCompany, team: OnCallTeam, level: int, schedule: LayerSchedule) -> None:
    policy = company.policy(team)
    target = ScheduleTarget(schedule.id, schedule.name, schedule.kind)
    levels = (*policy.levels[: level - 1], (target,), *policy.levels[level:])
    company.account.save_policy(replace(policy, levels=levels))


def _policy_gap(company: OnCallCompany, team: OnCallTeam, *, placebo: bool) -> OnCallTruth:
    """Interrupt both schedules at the same time, and take away the third level."""
    policy = company.policy(team)
    company.account.save_policy(
        replace(
            policy,
            levels=policy.levels[:2],
            delays_minutes=policy.delays_minutes[:2],
            rule_ids=policy.rule_ids[:2],
        )
    )
    begin = _some_handover(company, company.layered(team.primary_id), (3, 20))
    end = begin + company.rng.randrange(4, 30) * _HOUR
    for schedule_id in () if placebo else (team.primary_id, team.secondary_id):
        schedule = company.layered(schedule_id)
        (layer,) = schedule.layers
        again = replace(layer, id=identifiers.object_id(company.rng), start=end)
        schedule.layers = (replace(layer, end=begin), again)
    return OnCallTruth(policy_id=team.policy_id, since=begin, until=end, service_id=team.service_ids[0])


def _cliff(company: OnCallCompany, team: OnCallTeam, *, placebo: bool) -> OnCallTruth:
    """Let the first level's cover end: its only layer, or the last override of a schedule without layers."""
    schedule = company.layered(team.primary_id)
    at = _some_handover(company, schedule, (20, 60))
    (layer,) = schedule.layers
    if placebo:
        _add_override(company, schedule, at, at + _DAY, company.rng.choice(team.pool).id)
        return OnCallTruth()
    if company.rng.random() < 0.5:
        schedule.layers = (replace(layer, end=at),)
        return OnCallTruth(policy_id=team.policy_id, schedule_id=schedule.id, level=1, since=at)
    over = _some_handover(company, schedule, (2, 4))
    for shift in schedule.layer_shifts(layer, over, at):
        if over <= shift.start < at:
            _add_override(company, schedule, shift.start, shift.end, str(shift.user_id))
    schedule.layers = (replace(layer, end=over),)
    last = max(schedule.overrides.values(), key=lambda override: override.end)
    return OnCallTruth(
        policy_id=team.policy_id, schedule_id=schedule.id, level=1, override_id=last.id, since=last.end
    )


def _add_override(
    company: OnCallCompany, schedule: LayerSchedule, start: datetime, end: datetime, user_id: str
) -> Override:
    override = Override(identifiers.object_id(company.rng), start, end, user_id)
    schedule.overrides[override.id] = override
    return override


def _empty_level(company: OnCallCompany, team: OnCallTeam, *, placebo: bool) -> OnCallTruth:
    """Put a schedule on the second level whose only layer ended long ago."""
    if placebo:
        return OnCallTruth()
    begin = first_handover(company, "Etc/UTC")
    layer = Layer(
        identifiers.object_id(company.rng), "Old", begin, (team.lead.id,), _DAY, begin, begin + 7 * _DAY
    )
    name = f"{team.team.name} old pager"
    old = LayerSchedule(identifiers.object_id(company.rng), name, "Etc/UTC", (layer,), teams=(team.team,))
    company.account.belongings.schedules[old.id] = old
    _set_level(company, team, 2, old)
    return OnCallTruth(policy_id=team.policy_id, schedule_id=old.id, level=2)


def _orphaned_override(company: OnCallCompany, team: OnCallTeam, *, placebo: bool) -> OnCallTruth:
    """Leave an override of somebody who left the pool, or of a shift that has moved to somebody else."""
    schedule = company.account.belongings.schedules[team.primary_id]
    start = company.now.replace(minute=0, second=0) + company.rng.randrange(3, 25) * _DAY
    end = start + company.rng.randrange(3, 9) * _HOUR
    if isinstance(schedule, ShiftSchedule):
        return _moved_shift(company, team, schedule, (start, end), placebo=placebo)
    layered, leaver = company.layered(schedule.id), company.rng.choice(team.pool)
    override = _add_override(company, layered, start, end, leaver.id)
    if not placebo:
        for schedule_id in (team.primary_id, team.secondary_id):
            rota = company.layered(schedule_id)
            (layer,) = rota.layers
            left = tuple(user_id for user_id in layer.user_ids if user_id != leaver.id)
            rota.layers = (replace(layer, user_ids=left),)
        company.account.memberships[team.team.id].pop(leaver.id)
    return OnCallTruth(
        schedule_id=schedule.id, override_id=override.id, user_id=leaver.id, since=start, until=end
    )


def _moved_shift(
    company: OnCallCompany,
    team: OnCallTeam,
    schedule: ShiftSchedule,
    span: tuple[datetime, datetime],
    *,
    placebo: bool,
) -> OnCallTruth:
    """Override somebody who has no shift then; in the placebo, who has it."""
    (rotation,) = schedule.rotations.values()
    on_call = {shift.user_id for shift in schedule.final_shifts(*span)}
    chosen = [user.id for user in team.pool if (user.id in on_call) is placebo]
    overridden, new_id = company.rng.choice(chosen), identifiers.event_id(span[0], company.rng)
    override = ShiftOverride(new_id, *span, overridden, team.lead.id, rotation.id)
    schedule.overrides[override.id] = override
    return OnCallTruth(
        schedule_id=schedule.id, override_id=new_id, user_id=overridden, since=span[0], until=span[1]
    )


def _never_paged(company: OnCallCompany, team: OnCallTeam, *, placebo: bool) -> OnCallTruth:
    """Give a person of the pool rules that all wait as long as the first level has, or longer."""
    user = company.account.users[company.rng.choice(team.pool).id]
    delay = company.rng.randrange(6) + (2 if placebo else DELAYS[0])
    plan = (("high", delay, "phone"), ("high", delay + 5, "email"), ("low", 0, "email"))
    rules = notification_rules(user.contact_methods, plan, company.rng)
    company.account.save_user(replace(user, notification_rules=rules))
    return OnCallTruth(policy_id=team.policy_id, user_id=user.id, level=1, rule_id=rules[0].id)


def _dead_end(company: OnCallCompany, team: OnCallTeam, *, placebo: bool) -> OnCallTruth:
    """Take away the loops, and let everybody sleep through some incidents."""
    if not placebo:
        company.account.save_policy(replace(company.policy(team), num_loops=0))
    titles = []
    for number in range(_SLEPT):
        at = company.now - company.rng.uniform(2 + 20 * number, 20 + 20 * number) * _DAY
        titles.append(f"Nobody answered, {number + 1}")
        life = company.life(team.service_ids[0], at, titles[-1])
        company.lives.append(replace(life, found_by=team.lead.id))
    if not placebo:
        company.unanswered |= set(titles)
    return OnCallTruth(policy_id=team.policy_id, incident_ids=tuple(titles))


def _same_person(company: OnCallCompany, team: OnCallTeam, *, placebo: bool) -> OnCallTruth:
    """Put the first level's schedule on the second level too."""
    if not placebo:
        _set_level(company, team, 2, company.layered(team.primary_id))
    return OnCallTruth(policy_id=team.policy_id, schedule_id=team.primary_id, level=2)


def _only_human(company: OnCallCompany, team: OnCallTeam, *, placebo: bool) -> OnCallTruth:
    """Let the lead be every level of the policy: by a schedule of the lead alone, and by name."""
    policy = company.policy(team)
    if placebo:
        return OnCallTruth()
    begin = first_handover(company, "Etc/UTC")
    layer = Layer(identifiers.object_id(company.rng), "Only", begin, (team.lead.id,), 7 * _DAY, begin)
    name = f"{team.team.name} lead"
    alone = LayerSchedule(identifiers.object_id(company.rng), name, "Etc/UTC", (layer,), teams=(team.team,))
    company.account.belongings.schedules[alone.id] = alone
    levels = ((ScheduleTarget(alone.id, alone.name),), (company.account.users[team.lead.id],))
    delays, rule_ids = policy.delays_minutes[:2], policy.rule_ids[:2]
    company.account.save_policy(replace(policy, levels=levels, delays_minutes=delays, rule_ids=rule_ids))
    return OnCallTruth(policy_id=policy.id, user_id=team.lead.id)


def _ping_pong(company: OnCallCompany, team: OnCallTeam, *, placebo: bool) -> OnCallTruth:
    """Let incidents go to another team's policy and come back; in the placebo they stay there."""
    other = company.rng.choice([known for known in company.teams if known is not team])
    titles = []
    for number in range(_PING_PONG):
        at = company.now - company.rng.uniform(1 + 15 * number, 15 + 15 * number) * _DAY
        titles.append(f"Not ours, {number + 1}")
        life = company.life(team.service_ids[0], at, titles[-1])
        away = (timedelta(minutes=1), _delegates_to(other.policy_id, team.lead.id))
        back = (timedelta(minutes=8), _delegates_to(team.policy_id, other.lead.id))
        moves = (away,) if placebo else (away, back)
        company.lives.append(replace(life, works_for=timedelta(minutes=20), moves=moves))
    return OnCallTruth(policy_id=team.policy_id, incident_ids=tuple(titles))


def _delegates_to(policy_id: str, by: str) -> Callable[[Account, str], tuple[Event, ...]]:
    return lambda account, incident_id: account.delegate(incident_id, policy_id, by=by)


def _unfair_hours(company: OnCallCompany, team: OnCallTeam, *, placebo: bool) -> OnCallTruth:
    """Give a person two further turns on the first level."""
    user = company.rng.choice(team.pool)
    schedule = company.layered(team.primary_id)
    (layer,) = schedule.layers
    turns = list(layer.user_ids)
    place = turns.index(user.id)
    for after in () if placebo else (3, 6):
        turns.insert((place + after) % len(turns), user.id)
    schedule.layers = (replace(layer, user_ids=tuple(turns)),)
    return OnCallTruth(policy_id=team.policy_id, schedule_id=schedule.id, user_id=user.id)


def _unfair_pages(company: OnCallCompany, team: OnCallTeam, *, placebo: bool) -> OnCallTruth:
    """Let further incidents fall into the turns of the same person; in the placebo, into anybody's."""
    user = company.rng.choice(team.pool)
    schedule = company.layered(team.primary_id)
    shifts = [
        shift
        for shift in schedule.final_shifts(company.now - 90 * _DAY, company.now - _DAY)
        if placebo or shift.user_id == user.id
    ]
    for number in range(company.rng.randrange(*_MORE)):
        shift = company.rng.choice(shifts)
        at = shift.start + company.rng.uniform(0.01, 0.95) * (shift.end - shift.start)
        at = max(at.replace(microsecond=0), company.now - 90 * _DAY)
        title = f"{team.team.name}: again, {number + 1}"
        company.lives.append(company.life(company.rng.choice(team.service_ids), at, title))
    return OnCallTruth(policy_id=team.policy_id, schedule_id=schedule.id, user_id=user.id)


ON_CALL_PACKS: Final[Mapping[str, OnCallPack]] = MappingProxyType(
    {
        "policy_gap": _pack("policy_gap", _policy_gap),
        "cliff": _pack("cliff", _cliff),
        "empty_level": _pack("empty_level", _empty_level),
        "orphaned_override": _pack(
            "orphaned_override", _orphaned_override, shifts=lambda seed: seed % 2 == 1
        ),
        "never_paged": _pack("never_paged", _never_paged, shifts=lambda seed: seed % 2 == 1),
        "dead_end": _pack("dead_end", _dead_end, shifts=lambda seed: seed % 2 == 1),
        "same_person": _pack("same_person", _same_person),
        "only_human": _pack("only_human", _only_human),
        "ping_pong": _pack("ping_pong", _ping_pong, shifts=lambda seed: seed % 2 == 1),
        "unfair_hours": _pack("unfair_hours", _unfair_hours),
        "unfair_pages": _pack("unfair_pages", _unfair_pages),
    }
)
