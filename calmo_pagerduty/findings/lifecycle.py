"""The life of a finding: what a run of its analysis, or a person's decision, makes of it.

```
            found                 not found any more
   ─────────────────▶ new ─────────────────────────────▶ resolved
                       │ ▲                                  │
          accept, dismiss│ undo                             │ found again
                       ▼ │                                  ▼
     accepted, dismissed ──worse than when dismissed──▶ returned
```

A run resolves a finding only if it could have found it: see `is_conclusive`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from calmo_pagerduty.findings.model import AnalysisResult, Finding, FindingSeverity
from calmo_pagerduty.kernel.explained_error import ExplainedError


class FindingState(StrEnum):
    NEW = "new"
    #: Somebody takes care of it.
    ACCEPTED = "accepted"
    #: Somebody said, with a reason, that it needs no care.
    DISMISSED = "dismissed"
    #: The analysis doesn't find it any more.
    RESOLVED = "resolved"
    #: It was resolved and is found again, or it was dismissed and got worse.
    RETURNED = "returned"


#: What waits for somebody, or for being fixed.
OPEN_STATES = (FindingState.NEW, FindingState.RETURNED, FindingState.ACCEPTED)


class Trigger(StrEnum):
    FOUND = "found"
    #: Found, with a higher severity than before; if dismissed, than when it was dismissed.
    WORSE = "worse"
    GONE = "gone"
    ACCEPT = "accept"
    DISMISS = "dismiss"
    UNDO = "undo"
    #: A decision is undone while the analysis doesn't find the finding.
    UNDO_WHILE_GONE = "undo_while_gone"


class FindingEventKind(StrEnum):
    """What stands in a finding's history."""

    FOUND = "found"
    RETURNED = "returned"
    WORSENED = "worsened"
    EASED = "eased"
    RESOLVED = "resolved"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"
    UNDONE = "undone"


_NEW, _ACCEPTED, _DISMISSED, _RESOLVED, _RETURNED = FindingState
#: State and trigger → the next state. None: the trigger is refused.
TRANSITIONS: Mapping[FindingState, Mapping[Trigger, FindingState | None]] = {
    _NEW: {
        Trigger.FOUND: _NEW,
        Trigger.WORSE: _NEW,
        Trigger.GONE: _RESOLVED,
        Trigger.ACCEPT: _ACCEPTED,
        Trigger.DISMISS: _DISMISSED,
        Trigger.UNDO: None,
        Trigger.UNDO_WHILE_GONE: None,
    },
    _ACCEPTED: {
        Trigger.FOUND: _ACCEPTED,
        Trigger.WORSE: _ACCEPTED,
        Trigger.GONE: _RESOLVED,
        Trigger.ACCEPT: _ACCEPTED,
        Trigger.DISMISS: _DISMISSED,
        Trigger.UNDO: _NEW,
        Trigger.UNDO_WHILE_GONE: _RESOLVED,
    },
    _DISMISSED: {
        Trigger.FOUND: _DISMISSED,
        Trigger.WORSE: _RETURNED,
        Trigger.GONE: _DISMISSED,
        Trigger.ACCEPT: _ACCEPTED,
        Trigger.DISMISS: _DISMISSED,
        Trigger.UNDO: _NEW,
        Trigger.UNDO_WHILE_GONE: _RESOLVED,
    },
    _RESOLVED: {
        Trigger.FOUND: _RETURNED,
        Trigger.WORSE: _RETURNED,
        Trigger.GONE: _RESOLVED,
        Trigger.ACCEPT: None,
        Trigger.DISMISS: None,
        Trigger.UNDO: None,
        Trigger.UNDO_WHILE_GONE: None,
    },
    _RETURNED: {
        Trigger.FOUND: _RETURNED,
        Trigger.WORSE: _RETURNED,
        Trigger.GONE: _RESOLVED,
        Trigger.ACCEPT: _ACCEPTED,
        Trigger.DISMISS: _DISMISSED,
        Trigger.UNDO: None,
        Trigger.UNDO_WHILE_GONE: None,
    },
}

_KIND_OF_DECISION: Mapping[Trigger, FindingEventKind] = {
    Trigger.ACCEPT: FindingEventKind.ACCEPTED,
    Trigger.DISMISS: FindingEventKind.DISMISSED,
    Trigger.UNDO: FindingEventKind.UNDONE,
    Trigger.UNDO_WHILE_GONE: FindingEventKind.UNDONE,
}

NOT_FOUND_ANY_MORE = "the analysis does not find it any more"
IT_IS_OVER = "its time is over"
CONNECTION_REMOVED = "the connection to the account was removed"


class FindingDecisionRefused(ExplainedError):
    """The finding's state allows no such decision. The message says why."""


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """A finding in the inbox. Times are UTC. `is_present`: the newest conclusive result has it."""

    id: int
    connection_id: str
    analysis: str
    finding: Finding
    state: FindingState
    is_present: bool
    first_seen_at: datetime
    last_seen_at: datetime
    changed_at: datetime
    decided_by: str | None = None
    reason: str | None = None
    decided_severity: FindingSeverity | None = None
    issue_id: str | None = None


@dataclass(frozen=True, slots=True)
class FindingEvent:
    """A line of a finding's history. `author` is None if an analysis did it. `at` is UTC."""

    id: int
    at: datetime
    kind: FindingEventKind
    state: FindingState
    severity: FindingSeverity
    author: str | None
    reason: str | None
    evidence: tuple[Mapping[str, object], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """The state after a trigger, and the event for the history; no event if nothing worth telling changed."""

    state: FindingState
    kind: FindingEventKind | None = None
    reason: str | None = None


def severity_rank(severity: FindingSeverity) -> int:
    """Return 0 for the worst severity."""
    return tuple(FindingSeverity).index(severity)


def change_when_found(stored: StoredFinding, severity: FindingSeverity) -> Change:
    """Return what a finding becomes that a run found again, with this severity."""
    before, after = severity_rank(stored.finding.severity), severity_rank(severity)
    compared = before
    if stored.state is FindingState.DISMISSED and stored.decided_severity is not None:
        compared = severity_rank(stored.decided_severity)
    state = _next_state(stored.state, Trigger.WORSE if after < compared else Trigger.FOUND)
    words = f"its severity was {stored.finding.severity} and is {severity}" if after != before else None
    if state is not stored.state:
        return Change(state, FindingEventKind.RETURNED, words)
    if after == before:
        return Change(state)
    return Change(state, FindingEventKind.WORSENED if after < before else FindingEventKind.EASED, words)


def change_when_gone(stored: StoredFinding, now: int) -> Change:
    """Return what a finding becomes that a conclusive run didn't find. `now` is the run's, epoch seconds."""
    state = _next_state(stored.state, Trigger.GONE)
    if state is stored.state:
        return Change(state)
    at = stored.finding.at
    reason = IT_IS_OVER if at is not None and at.end <= now else NOT_FOUND_ANY_MORE
    return Change(state, FindingEventKind.RESOLVED, reason)


def change_when_removed(stored: StoredFinding) -> Change:
    """Return what a finding becomes whose connection is removed: no run will look for it again."""
    state = _next_state(stored.state, Trigger.GONE)
    if state is stored.state:
        return Change(state)
    return Change(state, FindingEventKind.RESOLVED, CONNECTION_REMOVED)


def change_when_decided(stored: StoredFinding, trigger: Trigger, reason: str | None) -> Change:
    """Return what a finding becomes by a person's decision: ACCEPT, DISMISS or UNDO.

    The same decision with the same reason changes nothing. Raises FindingDecisionRefused.
    """
    if trigger is Trigger.UNDO and not stored.is_present:
        trigger = Trigger.UNDO_WHILE_GONE
    state = TRANSITIONS[stored.state][trigger]
    if state is None:
        raise FindingDecisionRefused(_refusal(stored, trigger))
    if state is stored.state and reason == stored.reason:
        return Change(state)
    return Change(state, _KIND_OF_DECISION[trigger], reason)


def is_conclusive(result: AnalysisResult, finding: Finding) -> bool:
    """Tell whether this run would have found the finding if it were still there.

    It would not if data were truncated or hidden, if an object of the finding couldn't be judged, or if the
    finding begins after the run's window.
    """
    inputs = result.inputs
    if inputs.conclusive_codes is not None:
        if finding.code not in inputs.conclusive_codes:
            return False
    elif inputs.truncated or inputs.missing_permissions:
        return False
    if any(entity.id in inputs.unjudged_ids for entity in finding.entities):
        return False
    return finding.at is None or finding.at.end <= result.now or finding.at.start < result.window.end


def _next_state(state: FindingState, trigger: Trigger) -> FindingState:
    following = TRANSITIONS[state][trigger]
    assert following is not None, f"a run's trigger is never refused: {state}, {trigger}"
    return following


def _refusal(stored: StoredFinding, trigger: Trigger) -> str:
    if trigger in {Trigger.UNDO, Trigger.UNDO_WHILE_GONE}:
        return f"finding {stored.id} is {stored.state}: there is no decision to undo"
    return f"finding {stored.id} is resolved: there is nothing to {trigger}"
