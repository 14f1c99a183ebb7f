"""Reasons to gather a context. Reasons that come within a few seconds lead to one version, not to many."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from calmo_pagerduty.contexts.runs import MAX_DEBOUNCE, MAX_REASONS

DEFAULT_REASON = "asked for"
MAX_REASON_LENGTH = 100


class ReasonQueue:
    """The reasons that wait for the next version: each once, in the order of arrival."""

    def __init__(self, reasons: Iterable[str], debounce: timedelta) -> None:
        self._waiting = list(dict.fromkeys(reasons))
        self._debounce = debounce
        self._first_at: datetime | None = None
        self._last_at: datetime | None = None

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, reason: Any) -> None:
        """Add a signal's argument. Anybody may send one, so it may have any type."""
        text = reason if isinstance(reason, str) else DEFAULT_REASON
        plain = "".join(sign for sign in text[:MAX_REASON_LENGTH] if sign.isprintable()) or DEFAULT_REASON
        self._last_at = workflow.now()
        self._first_at = self._first_at or self._last_at
        if plain not in self._waiting:
            self._waiting.append(plain)

    def waiting(self) -> tuple[str, ...]:
        return tuple(self._waiting[:MAX_REASONS])

    async def collect(self) -> tuple[str, ...]:
        """Wait until no reason has come for `debounce`, at most MAX_DEBOUNCE; then remove and return all."""
        now = workflow.now()
        first, last = self._first_at or now, self._last_at or now
        while (left := min(last + self._debounce, first + MAX_DEBOUNCE) - workflow.now()) > timedelta():
            last_seen = self._last_at
            try:
                await workflow.wait_condition(
                    partial(self._has_changed_since, last_seen),
                    timeout=left,
                    timeout_summary="gathers if no more reasons come",
                )
            except TimeoutError:
                break
            last = self._last_at or last
        taken = self.waiting() or (DEFAULT_REASON,)
        self._waiting, self._first_at = [], None
        return taken

    def _has_changed_since(self, last_seen: datetime | None) -> bool:
        return self._last_at != last_seen
