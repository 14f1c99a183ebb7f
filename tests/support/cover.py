"""A request for cover."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from calmo_pagerduty.workload.cover_requests import CoverReason, CoverRequest, CoverState
from tests.support.builders import new_id


def cover_request(connection: str, now: datetime, **fields: Any) -> CoverRequest:
    """An open request of U1's that U2 and U3 could accept."""
    plain = CoverRequest(
        id=new_id("cover_"),
        connection_id=connection,
        schedule_id="S1",
        user_id="U1",
        reason=CoverReason.ASKED,
        evidence={},
        state=CoverState.OPEN,
        starts_at=now,
        ends_at=now + timedelta(hours=8),
        candidates=("U2", "U3"),
        asked=("U2",),
        declined=(),
        created_by="ada",
        created_at=now,
        expires_at=now + timedelta(hours=6),
    )
    return replace(plain, **fields)
