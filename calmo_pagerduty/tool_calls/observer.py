"""What a call may be for: who observes a call is told of each of its steps, in the step's own transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.pagerduty.webhook_events import Reference
from calmo_pagerduty.tool_calls.store import ToolCall


@dataclass(frozen=True, slots=True)
class ObservedAgent:
    """The PagerDuty user that a call's events will name, and whether it is wanted but not known yet."""

    id: str | None = None
    is_wanted: bool = False


class CallObserver(Protocol):
    """Observes the calls of one feature. A call of anybody else changes nothing."""

    def refusal(self, tx: Transaction, call_id: str) -> Mapping[str, Any] | None:
        """Return why a first attempt makes no sense any more, as the call's error; None if it does."""

    def attempt_started(self, tx: Transaction, call_id: str, now: datetime) -> ObservedAgent:
        """PagerDuty is about to be asked."""

    def attempt_had_no_effect(self, tx: Transaction, call: ToolCall, now: datetime) -> None:
        """What was asked so far changed nothing."""

    def agent_known(self, tx: Transaction, call_id: str, agent: Reference) -> None:
        """The PagerDuty user that the call's events will name is known."""

    def finished(self, tx: Transaction, call: ToolCall, now: datetime) -> None:
        """The call ended, as `call.state` says."""
