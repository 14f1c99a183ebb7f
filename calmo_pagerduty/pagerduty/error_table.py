"""Tables from PagerDuty's error responses to our error classes, their reasons and advice.

The status is read before the code, because one code means different things under different statuses.
Source: PagerDuty's documentation, "Errors", and observed responses.
"""

from typing import Final

from calmo_pagerduty.pagerduty.errors import (
    AccessDenied,
    AlreadySo,
    ChangedMeanwhile,
    InvalidRequest,
    NotFound,
    NotInPlan,
    PagerDutyError,
    RateLimited,
    RefusalReason,
    Refused,
    ServerFault,
    TokenRejected,
)

ErrorClass = type[PagerDutyError]

#: Any other 4xx is an InvalidRequest, any other 5xx a ServerFault.
ERROR_OF_STATUS: Final[dict[int, ErrorClass]] = {
    401: TokenRejected,
    402: NotInPlan,
    403: AccessDenied,
    404: NotFound,
    408: ServerFault,
    410: NotFound,
    429: RateLimited,
}

#: Codes that refine an InvalidRequest.
ERROR_OF_CODE: Final[dict[int, ErrorClass]] = {
    1001: AlreadySo,  # resolved
    1002: AlreadySo,  # acknowledged
    1019: AlreadySo,  # merged
    1005: ChangedMeanwhile,
    2014: NotInPlan,
    2020: RateLimited,
}

#: Refusals that only their message identifies, in lower case: their codes also mean other things.
REASON_OF_MESSAGE: Final[tuple[tuple[str, RefusalReason], ...]] = (
    ("matching dedup key already exists", RefusalReason.OPEN_INCIDENT_WITH_KEY),
    ("offset+limit exceeds", RefusalReason.BEYOND_REACH),
    ('"from" header', RefusalReason.FROM_NEEDED),
    ("requester user not found", RefusalReason.FROM_UNKNOWN),
    ("account-level access token", RefusalReason.ACCOUNT_TOKEN),
    ("shift-based schedule", RefusalReason.SHIFT_BASED_SCHEDULE),
    ("layer-based schedule", RefusalReason.LAYER_BASED_SCHEDULE),
)

_FROM_ADVICE: Final = "set the connection's From address to that of a user of this PagerDuty account"

#: Advice. The most specific table wins: reason, then code, then status, then class.
ADVICE_OF_REASON: Final[dict[RefusalReason, str]] = {
    RefusalReason.OPEN_INCIDENT_WITH_KEY: "the incident exists already: find it by its incident_key",
    RefusalReason.BEYOND_REACH: "narrow the search, such as by since and until",
    RefusalReason.FROM_NEEDED: _FROM_ADVICE,
    RefusalReason.FROM_UNKNOWN: _FROM_ADVICE,
    RefusalReason.ACCOUNT_TOKEN: "this needs a user's token; the connection has an account's",
    RefusalReason.SHIFT_BASED_SCHEDULE: "read it as a schedule with rotations (v3)",
    RefusalReason.LAYER_BASED_SCHEDULE: "read it as a schedule with layers (v2)",
}

ADVICE_OF_CODE: Final[dict[int, str]] = {
    1001: "the incident is resolved already; reopen it first if it is to be changed",
    1002: "the incident is acknowledged already",
    1006: "its escalation policy has no further level",
    1007: "check the ids of the users to be assigned",
    1008: _FROM_ADVICE,
    1012: "acknowledge the incident first: only an acknowledged one can be snoozed",
    1014: "choose an escalation policy that exists",
    1015: "nobody is on call for that escalation policy: choose another one, or name an assignee",
    1019: "the incident is merged already",
    1020: "choose one of the account's own priorities",
    2004: "check the dates: UTC with a Z, the start before the end",
    2005: "check the dates: UTC with a Z, the start before the end",
    2016: _FROM_ADVICE,
    2018: "access to the incident ended when it was resolved",
    2019: "the account has reached a limit of PagerDuty's: remove something first",
    5003: "what has passed can't be changed",
}

ADVICE_OF_STATUS: Final[dict[int, str]] = {
    405: "PagerDuty doesn't allow this here, or not any more",
    413: "ask for less at once",
}

ADVICE_OF_CLASS: Final[dict[ErrorClass, str]] = {
    TokenRejected: "check the connection's token, its kind and its region: a token is good for one region",
    NotInPlan: "the account's plan lacks what this needs; ask PagerDuty's account owner",
    AccessDenied: "the token's role or scopes don't allow it, or it is a read-only one: use another",
    NotFound: "check the id; it may be deleted, or hidden from this token",
    ChangedMeanwhile: "read it again, then repeat",
    InvalidRequest: "correct the request; repeating it won't help",
    RateLimited: "wait before the next call",
    ServerFault: "PagerDuty has trouble: try again later",
    Refused: "check the connection's base URL",
}


def error_class(status: int, code: int | None) -> ErrorClass:
    """Return the error class for a status of 300 or more."""
    if status < 400:
        return Refused
    if status >= 500:
        return ServerFault
    by_status = ERROR_OF_STATUS.get(status, InvalidRequest)
    if by_status is InvalidRequest and code is not None:
        return ERROR_OF_CODE.get(code, InvalidRequest)
    return by_status


def is_refined_by_code(status: int) -> bool:
    """Tell whether the code of a refusal with this status may change its error class."""
    return 400 <= status < 500 and status not in ERROR_OF_STATUS


def reason_of_message(message: str) -> RefusalReason | None:
    """Return the reason that only the message tells; None if it tells none of them."""
    lowered = message.lower()
    return next((reason for phrase, reason in REASON_OF_MESSAGE if phrase in lowered), None)


def advice_for(error: ErrorClass, status: int, code: int | None, meaning: RefusalReason | None) -> str:
    """Return the advice for a person, from the most specific table that has some."""
    if meaning is not None:
        return ADVICE_OF_REASON[meaning]
    # Code 2016 means "too slow" with status 408, and a missing From header otherwise.
    by_code = ADVICE_OF_CODE.get(code) if code is not None and error is not ServerFault else None
    return by_code or ADVICE_OF_STATUS.get(status) or ADVICE_OF_CLASS.get(error, "")
