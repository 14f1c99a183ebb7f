"""The demo's account has a map, and a single point of failure that is one."""

from datetime import UTC, datetime
from pathlib import Path

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.dependencies.analysis import analyse
from calmo_pagerduty.dependencies.graph import find_service, graph_of
from pagerduty_simulator.demo_past import furnish_for_the_demo
from pagerduty_simulator.furnished_shop import furnished_shop
from pagerduty_simulator.rest.service_graph import supporting
from tests.support.collecting import collecting_from


async def test_the_demo_shows_a_single_point_of_failure_that_is_true(
    database: Database, keyring: Keyring, tmp_path: Path
) -> None:
    account = furnished_shop(now=lambda: datetime.now(UTC), seed=1)
    furnish_for_the_demo(account, incidents=120, days=28, seed=1)
    async with collecting_from(account, database, keyring, tmp_path) as made:
        snapshot = await made.snapshot()
    graph = graph_of(snapshot)
    api, paying, orders = (find_service(graph, name) for name in ("Checkout API", "Paying", "Order database"))
    assert api and paying and orders
    found = {finding.key: finding for finding in analyse(snapshot, snapshot.taken_at).findings}
    point = found[str(api)]
    assert (point.code, paying.id in {entity.id for entity in point.entities}) == (
        "single_point_of_failure",
        True,
    )
    # By PagerDuty's side alone: without the API, Paying reaches the database no longer.
    edges, node = account.belongings.dependencies, (paying.kind.value, paying.id)
    left = [edge for edge in edges if api.id not in (edge.supporting[1], edge.dependent[1])]
    assert (orders.kind.value, orders.id) in supporting(edges, node)
    assert (orders.kind.value, orders.id) not in supporting(left, node)
