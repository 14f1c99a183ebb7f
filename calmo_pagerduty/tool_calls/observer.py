"""The interface for features that observe tool calls. It runs in the transactions of a call's steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.pagerduty.webhook_events import Reference
from calmo_pagerduty.tool_calls.store import ToolCall


@dataclass(frozen=True, slots=True)
class ObservedAgent:
    """The PagerDuty user that a call's events will name. `is_wanted` asks for it if it is unknown."""

    id: str | None = None
    is_wanted: bool = False


class CallObserver(Protocol):
    """Observes the calls of one feature, and ignores all others. Times are UTC."""

    def refusal(self, tx: Transaction, call_id: str) -> Mapping[str, Any] | None:
        """Return the error that rules out a first attempt; None if the attempt may start."""

    def attempt_started(self, tx: Transaction, call_id: str, now: datetime) -> ObservedAgent:
        """Record that a request to PagerDuty is about to be sent."""

    def attempt_had_no_effect(self, tx: Transaction, call: ToolCall, now: datetime) -> None:
        """Record that no attempt so far changed anything."""

    def agent_known(self, tx: Transaction, call_id: str, agent: Reference) -> None:
        """Save the PagerDuty user that the call's events will name."""

    def finished(self, tx: Transaction, call: ToolCall, now: datetime) -> None:
        """Record that the call ended with `call.state`."""
