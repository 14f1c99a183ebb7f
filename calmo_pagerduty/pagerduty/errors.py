"""The errors of a call to PagerDuty.

PagerDutyError
├── Refused               a repetition would be refused again
│   ├── TokenRejected     401: key, format or region
│   ├── NotInPlan         402: the account's plan lacks the ability
│   ├── AccessDenied      403: role, scope or a read-only key
│   ├── NotFound          404, 410: deleted, or hidden from this key
│   ├── AlreadySo         the requested state holds already: success for us
│   ├── ChangedMeanwhile  somebody else changed it: read it again, then repeat
│   └── InvalidRequest    any other 4xx
├── TryAgain              a later attempt may succeed
│   ├── RateLimited       429, or our own share is used up: wait for `retry_after`
│   ├── ServerFault       408 and 5xx
│   └── Unreachable       no answer, or only a part of it
├── NotUnderstood         2xx, but the answer isn't what PagerDuty documents
└── OutcomeUnknown        a write may have happened, and only a person can find out
"""

from datetime import timedelta
from enum import StrEnum


class RefusalReason(StrEnum):
    """A reason that only the message tells: its status and code also mean other things."""

    OPEN_INCIDENT_WITH_KEY = "open_incident_with_key"
    BEYOND_REACH = "beyond_reach"
    FROM_NEEDED = "from_needed"
    FROM_UNKNOWN = "from_unknown"
    ACCOUNT_TOKEN = "account_token"  # noqa: S105 - a meaning, not a token
    SHIFT_BASED_SCHEDULE = "shift_based_schedule"
    LAYER_BASED_SCHEDULE = "layer_based_schedule"


class PagerDutyError(Exception):
    """`str()` tells a person what is wrong and what to do. It never holds a token or a body."""

    #: True if a write may have taken effect although the call failed.
    may_have_happened = False
    #: A plan sets it when it knows that nothing was written, although PagerDuty did not refuse.
    changed_nothing = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: int | None = None,
        advice: str = "",
        request_id: str | None = None,
    ) -> None:
        super().__init__(f"{message}: {advice}" if advice else message)
        self.message = message
        self.status = status
        #: PagerDuty's error code, such as 2001. Its meaning depends on `status`.
        self.code = code
        self.advice = advice
        self.request_id = request_id
        self.meaning: RefusalReason | None = None


class Refused(PagerDutyError):
    """A repetition would be refused again."""


class TokenRejected(Refused):
    """401: the token is mistyped, expired, revoked or of the other region."""


class NotInPlan(Refused):
    """402: the account's plan lacks the ability."""


class AccessDenied(Refused):
    """403: the token's role or scopes don't allow it."""


class NotFound(Refused):
    """404 or 410: deleted, or hidden from this token."""


class AlreadySo(Refused):
    """The requested state holds already."""


class ChangedMeanwhile(Refused):
    """It was changed since it was read."""


class InvalidRequest(Refused):
    """PagerDuty finds the request wrong."""


class TryAgain(PagerDutyError):
    """A later attempt may succeed."""


class RateLimited(TryAgain):
    """Wait for `retry_after`. `daily` is True if the analytics quota of the day is used up."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: timedelta,
        daily: bool = False,
        status: int | None = None,
        code: int | None = None,
        advice: str = "",
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, status=status, code=code, advice=advice, request_id=request_id)
        self.retry_after = retry_after
        self.daily = daily


class ServerFault(TryAgain):
    """408 or 5xx: PagerDuty has trouble."""

    may_have_happened = True


class Unreachable(TryAgain):
    """No answer, or only a part of it."""

    may_have_happened = True


class NotUnderstood(PagerDutyError):
    """2xx, but the answer isn't what PagerDuty documents."""

    may_have_happened = True


class OutcomeUnknown(PagerDutyError):
    """An earlier attempt may have written, and PagerDuty offers no way to find out: a person must look."""

    may_have_happened = True
