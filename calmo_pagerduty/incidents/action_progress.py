"""How far an operation has come: filed, sent, answered by PagerDuty, confirmed by PagerDuty's own event."""

from enum import StrEnum

from calmo_pagerduty.incidents.actions import Operation, OperationState
from calmo_pagerduty.tool_calls.model import CallState


class Progress(StrEnum):
    """How far an operation has come. What is sent and what is confirmed are told apart."""

    #: It waits for a person's approval.
    WAITING = "waiting"
    #: It is stored, and nothing has been sent to PagerDuty yet.
    FILED = "filed"
    #: It was sent, and PagerDuty has not answered.
    SENT = "sent"
    #: PagerDuty answered that it is done; its event has not come yet.
    ANSWERED = "answered"
    #: PagerDuty's own event shows that it was done.
    CONFIRMED = "confirmed"
    #: The incident was in this state already.
    UNCHANGED = "unchanged"
    #: It may have been done.
    UNKNOWN = "unknown"
    NOT_DONE = "not_done"


#: What may still change by itself.
UNFINISHED = frozenset({Progress.WAITING, Progress.FILED, Progress.SENT, Progress.ANSWERED})

_OF_FINISHED = {
    OperationState.UNCHANGED: Progress.UNCHANGED,
    OperationState.UNKNOWN: Progress.UNKNOWN,
    OperationState.NOT_DONE: Progress.NOT_DONE,
}


def progress_of(operation: Operation, call: CallState) -> Progress:
    """Return how far an operation has come; `call` is the state of the tool call that carries it out."""
    if operation.state is OperationState.OPEN:
        if call is CallState.WAITING:
            return Progress.WAITING
        return Progress.FILED if operation.sent_at is None else Progress.SENT
    if operation.state is OperationState.DONE:
        return Progress.CONFIRMED if operation.echoes else Progress.ANSWERED
    return _OF_FINISHED[operation.state]
