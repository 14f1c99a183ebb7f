"""How far back a comparison goes."""

from datetime import UTC, datetime, timedelta

from calmo_pagerduty.reconciliation.service import MAX_LOOKBACK, RunToStart
from tests.support.parts import Parts
from tests.support.system import running_system


async def test_a_comparison_since_long_ago_goes_no_further_back_than_ninety_days(parts: Parts) -> None:
    async with running_system(parts, working=False) as system:
        activities = system.ingress.services.reconcile_activities
        long_ago = datetime(2000, 1, 1, tzinfo=UTC)
        order = RunToStart(connection_id=system.connection_id, reason="asked for", since=long_ago)
        run = await activities._service.begin(order)
        assert run.until - run.since == MAX_LOOKBACK
        recent = await activities._service.begin(
            order.model_copy(update={"since": run.until - timedelta(days=89)})
        )
        assert recent.since == run.until - timedelta(days=89)
