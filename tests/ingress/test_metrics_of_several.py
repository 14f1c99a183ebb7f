"""Several processes of the ingress count what is in the database: added up, each thing is counted once."""

from datetime import UTC, datetime
from functools import partial

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.reconciliation import store as reconciliations
from calmo_pagerduty.temporal.handle import TemporalHandle
from ingress.metrics import Metrics
from ingress.reconciliation.sweeper import ReconcileScheduler
from tests.support.doors import ACME, Doorway

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


async def test_who_leads_counts_what_reconciliations_found(
    doorway: Doorway,
) -> None:
    database = doorway.database
    connection = database.write_blocking(
        lambda tx: connections.insert_connection(tx, "Acme", Scope.parse(ACME), NOW)
    )
    leader = 0

    def leads(number: int) -> bool:
        return number == leader

    told = [Metrics(), Metrics()]
    schedulers = [
        ReconcileScheduler(database, metrics, TemporalHandle(), "queue", partial(leads, number))
        for number, metrics in enumerate(told)
    ]

    def reconcile(tx: Transaction) -> None:
        run = reconciliations.insert_run(tx, connection, "test", NOW, NOW, NOW)
        reconciliations.mark_run_finished(tx, run, {"healed": 2}, NOW)

    async def counted() -> list[float]:
        for scheduler in schedulers:
            await scheduler.schedule_once()
        return [
            metrics.registry.get_sample_value("calmo_reconciled_total", {"kind": "healed"}) or 0
            for metrics in told
        ]

    await counted()
    database.write_blocking(reconcile)
    assert await counted() == [2, 0]
    leader = 1
    assert await counted() == [2, 0]
    database.write_blocking(reconcile)
    assert await counted() == [2, 2]
