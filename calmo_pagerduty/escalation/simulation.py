"""Simulate, minute by minute, an incident that nobody acknowledges: who is paged on what, until the end.

It is exact and event-driven: whoever is on call is looked up at the moment of each assignment.

Source: PagerDuty's documentation. "Escalation Policies": an incident goes to the first level with somebody
on call; after a level's delay it goes on to the next with somebody, after the last the path repeats
`num_loops` times; with nobody on any level no incident is created. "Notification Rules": each rule fires so
many minutes after the assignment while the incident is assigned to the person. "Service Settings": low
urgency doesn't escalate, and an incident is resolved after the service's timeout. A change of shift doesn't
reassign an incident.
"""

from dataclasses import dataclass, field, replace

from calmo_pagerduty.escalation.model import (
    Assignment,
    Candidates,
    Outcome,
    Page,
    Silence,
    Simulation,
    SkippedLevel,
    Unpaged,
)
from calmo_pagerduty.escalation.urgencies import raised_at, urgency_at
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    EscalationRule,
    Policy,
    Section,
    SectionName,
    SectionState,
    Service,
    Urgency,
)
from calmo_pagerduty.snapshots.notification_rules import rules_of
from calmo_pagerduty.snapshots.on_call import OnCallIndex

MINUTE = 60
DISABLED = "disabled"


class NoSuchService(ExplainedError):
    """The snapshot has no such service."""


def simulate(
    snapshot: AccountSnapshot, service_id: str, at: int, urgency: Urgency | None = None
) -> Simulation:
    """Return what an incident of the service would do, if it began at `at` (epoch seconds, UTC).

    `urgency` replaces what the service's own rule says. Raises NoSuchService.
    """
    return simulate_with(OnCallIndex(snapshot), service_id, at, urgency)


def simulate_with(index: OnCallIndex, service_id: str, at: int, urgency: Urgency | None = None) -> Simulation:
    """As `simulate`, with an index that many simulations share."""
    service = index.services.get(service_id)
    if service is None:
        raise NoSuchService(
            f"the snapshot has no service {service_id[:40]}: if it is new, take a new snapshot"
        )
    own = urgency_at(service, at)
    given = urgency or own or Urgency.HIGH
    notes = _notes(index.snapshot, service, urgency, own)
    none = Simulation(service_id, service.policy_id, at, given, Outcome.UNKNOWN, None, notes=notes)
    if service.status == DISABLED:
        return replace(none, outcome=Outcome.DISABLED)
    if _is_in_maintenance(index.snapshot, service_id, at):
        return replace(none, outcome=Outcome.MAINTENANCE)
    policy = index.policies.get(service.policy_id or "")
    if policy is None or not policy.rules:
        return replace(none, outcome=Outcome.NO_POLICY)
    raised = raised_at(service, at) if given is Urgency.LOW else None
    simulation = _Run(index, policy, none, raised).finish()
    if service.auto_resolve_timeout is None:
        return simulation
    return _cut(simulation, at + service.auto_resolve_timeout)


def candidates_at(index: OnCallIndex, rule: EscalationRule, at: int) -> Candidates | None:
    """Return who would be assigned on a level then; empty if nobody is on call, None if that is unknown."""
    groups: list[tuple[str, ...]] = []
    for target in rule.targets:
        people = index.people_at(target, at)
        if people is None:
            return None
        if people and people not in groups:
            groups.append(people)
    if rule.is_round_robin or not groups:
        return tuple(groups)
    return (tuple(sorted({user_id for people in groups for user_id in people})),)


@dataclass(frozen=True, slots=True)
class _Position:
    level: int
    pass_number: int


class _UnknownPeople(Exception):
    """Nobody knows who is on call on a level."""


@dataclass
class _Run:
    """The escalation of one incident. Steps are appended in order of time."""

    index: OnCallIndex
    policy: Policy
    empty: Simulation
    #: When a low-urgency incident becomes high urgency; else None.
    raised: int | None
    assignments: list[Assignment] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    unpaged: list[Unpaged] = field(default_factory=list)
    skipped: list[SkippedLevel] = field(default_factory=list)

    def finish(self) -> Simulation:
        try:
            first = self._next_staffed(_Position(1, 1), self.empty.at, only_this_pass=True)
            if first is None:
                return self._result(Outcome.DROPPED, None)
            return self._climb(*first)
        except _UnknownPeople:
            return self._result(Outcome.UNKNOWN, None)

    def _climb(self, position: _Position, candidates: Candidates) -> Simulation:
        at = self.empty.at
        if self.empty.urgency is Urgency.LOW:
            self._assign(position, candidates, at, self.raised, Urgency.LOW)
            if self.raised is None:
                return self._result(Outcome.STAYS, None)
            at = self.raised
        while True:
            moves_on_at = at + self.policy.rules[position.level - 1].delay_minutes * MINUTE
            following = self._next_staffed(self._after(position), moves_on_at)
            until = None if following is None else moves_on_at
            self._assign(position, candidates, at, until, Urgency.HIGH)
            if following is None:
                return self._result(Outcome.EXHAUSTED, moves_on_at)
            (position, candidates), at = following, moves_on_at

    def _after(self, position: _Position) -> _Position | None:
        if position.level < len(self.policy.rules):
            return _Position(position.level + 1, position.pass_number)
        if position.pass_number <= self.policy.num_loops:
            return _Position(1, position.pass_number + 1)
        return None

    def _next_staffed(
        self, position: _Position | None, at: int, only_this_pass: bool = False
    ) -> tuple[_Position, Candidates] | None:
        """Return the first position from this one on with somebody on call then, and who is assigned."""
        first_pass = position.pass_number if position else 0
        while position is not None and not (only_this_pass and position.pass_number > first_pass):
            candidates = candidates_at(self.index, self.policy.rules[position.level - 1], at)
            if candidates is None:
                raise _UnknownPeople
            if candidates:
                return position, candidates
            self.skipped.append(SkippedLevel(at, position.level, position.pass_number))
            position = self._after(position)
        return None

    def _assign(
        self, position: _Position, candidates: Candidates, at: int, until: int | None, urgency: Urgency
    ) -> None:
        assignment = Assignment(at, until, position.level, position.pass_number, urgency, candidates)
        self.assignments.append(assignment)
        for user_id in assignment.user_ids:
            self._page(assignment, user_id)

    def _page(self, assignment: Assignment, user_id: str) -> None:
        level, pass_number = assignment.level, assignment.pass_number
        user = self.index.users.get(user_id)
        rules = None if user is None else rules_of(user, assignment.urgency)
        if not rules:
            why = Silence.UNKNOWN_RULES if rules is None else Silence.NO_RULE
            self.unpaged.append(Unpaged(level, pass_number, user_id, why))
        for rule, method, is_usable in rules or ():
            at = assignment.at + rule.delay_minutes * MINUTE
            too_late = assignment.until is not None and at >= assignment.until
            if too_late or is_usable is False:
                why = Silence.TOO_LATE if too_late else Silence.UNUSABLE_METHOD
                self.unpaged.append(Unpaged(level, pass_number, user_id, why, rule.id, rule.delay_minutes))
                continue
            kind = None if method is None else method.kind
            self.pages.append(
                Page(
                    at, level, pass_number, user_id, rule.id, rule.contact_method_id, kind,
                    assignment.is_one_of,
                )
            )  # fmt: skip

    def _result(self, outcome: Outcome, ended_at: int | None) -> Simulation:
        return replace(
            self.empty,
            outcome=outcome,
            ended_at=ended_at,
            assignments=tuple(self.assignments),
            pages=tuple(sorted(self.pages, key=_page_order)),
            unpaged=tuple(self.unpaged),
            skipped=tuple(self.skipped),
        )


def _cut(simulation: Simulation, resolved_at: int) -> Simulation:
    """Return the simulation as it goes if PagerDuty resolves the incident then."""
    if not simulation.assignments or simulation.outcome is Outcome.UNKNOWN:
        return simulation
    assignments = tuple(
        replace(step, until=resolved_at if step.until is None else min(step.until, resolved_at))
        for step in simulation.assignments
        if step.at < resolved_at
    )
    reached = {(step.level, step.pass_number) for step in assignments}
    ended = simulation.ended_at
    is_first = ended is None or ended >= resolved_at
    return replace(
        simulation,
        outcome=Outcome.AUTO_RESOLVED if is_first else simulation.outcome,
        ended_at=resolved_at if is_first else ended,
        assignments=assignments,
        pages=tuple(page for page in simulation.pages if page.at < resolved_at),
        unpaged=tuple(
            silent for silent in simulation.unpaged if (silent.level, silent.pass_number) in reached
        ),
        skipped=tuple(skip for skip in simulation.skipped if skip.at < resolved_at),
    )


def _page_order(page: Page) -> tuple[int, int, int, str, str]:
    return page.at, page.pass_number, page.level, page.user_id, page.rule_id


def _is_in_maintenance(snapshot: AccountSnapshot, service_id: str, at: int) -> bool:
    return any(
        window.start <= at < window.end and service_id in window.service_ids
        for window in snapshot.maintenance
    )


def _notes(
    snapshot: AccountSnapshot, service: Service, asked: Urgency | None, own: Urgency | None
) -> tuple[str, ...]:
    """Return in words what the simulation can't know."""
    notes = []
    if asked is None and own is None:
        notes.append("The alert's severity decides the urgency; this assumes high urgency.")
    if service.auto_pause_seconds:
        notes.append(
            f"The service may hold back notifications for {service.auto_pause_seconds} s (auto-pause)."
        )
    if not snapshot.rendered_since <= snapshot.taken_at < snapshot.rendered_until:
        notes.append("The snapshot has no rendered schedules for its own time.")
    notes.extend(
        f"PagerDuty's {section.name} are {section.state}: {section.reason or 'no reason given'}."
        for section in _incomplete(snapshot)
    )
    return tuple(notes)


def _incomplete(snapshot: AccountSnapshot) -> list[Section]:
    needed = {
        SectionName.SCHEDULES, SectionName.POLICIES, SectionName.SERVICES, SectionName.USERS,
        SectionName.MAINTENANCE,
    }  # fmt: skip
    return [
        section
        for section in snapshot.sections
        if section.name in needed and section.state is not SectionState.COMPLETE
    ]
