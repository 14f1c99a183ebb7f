"""Arguments with a time window, which is bounded so that no call reads years."""

from datetime import datetime, timedelta
from typing import ClassVar, Self

from pydantic import Field, model_validator

from calmo_pagerduty.pagerduty.errors import InvalidRequest
from calmo_pagerduty.tools.fields import Time
from calmo_pagerduty.tools.model import Arguments


class Window(Arguments):
    """`since` (inclusive) and `until` (exclusive), in UTC."""

    longest: ClassVar[timedelta] = timedelta(days=180)

    since: Time | None = Field(None, description="Start, inclusive.")
    until: Time | None = Field(None, description="End, exclusive.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.since and self.until:
            if self.since >= self.until:
                raise ValueError("since: it must be before until")
            if self.until - self.since > self.longest:
                raise ValueError(f"since: it may be {self.longest.days} days before until at most")
        return self

    def backward(self, now: datetime, default: timedelta) -> tuple[datetime, datetime]:
        """Return the window; without bounds, the last `default` before `now`. Raises InvalidRequest."""
        until = self.until or now
        return self._bounded(self.since or until - default, until)

    def forward(self, now: datetime, default: timedelta) -> tuple[datetime, datetime]:
        """Return the window; without bounds, the next `default` after `now`. Raises InvalidRequest."""
        since = self.since or (self.until - default if self.until and self.until <= now else now)
        return self._bounded(since, self.until or since + default)

    def _bounded(self, since: datetime, until: datetime) -> tuple[datetime, datetime]:
        # PagerDuty is asked for whole seconds, and what it answers ends at one: a fraction would be a gap.
        since, until = since.replace(microsecond=0), until.replace(microsecond=0)
        if not timedelta(0) < until - since <= self.longest:
            raise InvalidRequest(
                "The window is empty or too long",
                advice=f"give since and until, {self.longest.days} days apart at most",
            )
        return since, until
