"""Translates between rows and the models of workload."""

from typing import Any

from calmo_pagerduty.workload.cover_requests import CoverReason, CoverRequest, CoverState

_LISTS = ("candidates", "asked", "declined")


def request_values(request: CoverRequest) -> dict[str, Any]:
    """Return a request's columns."""
    values = {name: getattr(request, name) for name in request.__slots__}
    return values | {name: list(values[name]) for name in _LISTS} | {"evidence": dict(request.evidence)}


def request_from_row(row: Any) -> CoverRequest:
    values = {name: getattr(row, name) for name in CoverRequest.__slots__}
    return CoverRequest(
        **values
        | {name: tuple(values[name]) for name in _LISTS}
        | {"reason": CoverReason(values["reason"]), "state": CoverState(values["state"])}
    )
