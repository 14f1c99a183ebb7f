"""A request for cover: who is asked, who answers, and how it ends. Pure.

```
        ask the next          accept
  open ──────────────▶ open ─────────▶ accepted
   │                                    (one acceptance closes it)
   ├── withdrawn by the person or a manager ──▶ withdrawn
   ├── everybody declined ──▶ declined
   └── time ran out ──▶ expired
```
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from calmo_pagerduty.kernel.explained_error import ExplainedError


class CoverState(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class CoverReason(StrEnum):
    ROUGH_NIGHT = "rough_night"
    ASKED = "asked"


class CoverAnswer(StrEnum):
    ACCEPT = "accept"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    #: The person who was asked is silent: ask the next one too.
    ASK_NEXT = "ask_next"


class CoverRefused(ExplainedError):
    """The answer is not possible any more, or not this person's. The message says why."""


@dataclass(frozen=True, slots=True)
class CoverRequest:
    """Times are UTC. People are PagerDuty's ids. `starts_at` to `ends_at` is the time to cover."""

    id: str
    connection_id: str
    schedule_id: str
    user_id: str
    reason: CoverReason
    evidence: Mapping[str, Any]
    state: CoverState
    starts_at: datetime
    ends_at: datetime
    candidates: tuple[str, ...]
    asked: tuple[str, ...]
    declined: tuple[str, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime
    covering_user_id: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    call_id: str | None = None

    @property
    def people(self) -> frozenset[str]:
        """Everybody whom the request is about."""
        return frozenset((self.user_id, *self.candidates))


#: The state after an answer that ends the request.
_ENDS: Mapping[CoverAnswer, CoverState] = MappingProxyType(
    {
        CoverAnswer.ACCEPT: CoverState.ACCEPTED,
        CoverAnswer.WITHDRAW: CoverState.WITHDRAWN,
        CoverAnswer.EXPIRE: CoverState.EXPIRED,
    }
)


def answered(
    request: CoverRequest, answer: CoverAnswer, user_id: str | None, by: str, now: datetime
) -> CoverRequest:
    """Return the request after an answer. `user_id` is who would cover, `by` who says so.

    Raises CoverRefused: the request has ended, or the person can't cover.
    """
    if request.state is not CoverState.OPEN:
        raise CoverRefused(f"the request is {request.state} already: one answer closes it")
    if answer is not CoverAnswer.EXPIRE and now >= request.expires_at:
        raise CoverRefused("the request has expired")
    if answer in {CoverAnswer.ACCEPT, CoverAnswer.DECLINE} and user_id not in request.candidates:
        raise CoverRefused(f"{user_id} was not found eligible to cover this time")
    if answer in _ENDS:
        covering = user_id if answer is CoverAnswer.ACCEPT else None
        return replace(request, state=_ENDS[answer], covering_user_id=covering, decided_by=by, decided_at=now)
    declined = request.declined
    if answer is CoverAnswer.DECLINE and user_id is not None and user_id not in declined:
        declined = (*declined, user_id)
    if set(request.candidates) <= set(declined):
        return replace(request, state=CoverState.DECLINED, declined=declined, decided_by=by, decided_at=now)
    return replace(request, declined=declined, asked=_asked(request, declined))


def _asked(request: CoverRequest, declined: tuple[str, ...]) -> tuple[str, ...]:
    """Ask the next candidate; those who were asked before may still accept."""
    following = next(
        (key for key in request.candidates if key not in request.asked and key not in declined), None
    )
    return request.asked if following is None else (*request.asked, following)
