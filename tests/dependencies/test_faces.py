"""Dependencies over REST, in the terminal, and for another tenant: not at all."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.snapshots.dependency_model import (
    BusinessService,
    Dependency,
    ServiceDependencies,
    ServiceKey,
    ServiceKind,
)
from calmo_pagerduty.snapshots.model import Incident, Service, Urgency
from ingress.commands.dependencies_view import (
    changes_view,
    critical_view,
    map_view,
    single_points_view,
    undeclared_view,
)
from tests.support.documented import check
from tests.support.doors import ACME, Doorway, make_key, open_doorway
from tests.support.snapshots import DAY, TAKEN_AT, small_snapshot, store_snapshot

BASKET, STOCK = (ServiceKey(ServiceKind.TECHNICAL, name) for name in ("PSHOP", "PSTOCK"))
BUYING = ServiceKey(ServiceKind.BUSINESS, "PBUY")


class Reader:
    def __init__(self, doorway: Doorway, connection: str) -> None:
        self.doorway = doorway
        self.path = f"/api/connections/{connection}/dependencies"

    async def answer(self, name: str, scope: str = ACME, **params: str) -> Any:
        key = make_key(self.doorway.database, ("findings:read",), [scope])
        return await self.doorway.client.get(f"{self.path}/{name}", headers=key, params=params)

    async def get(self, name: str, **params: str) -> Any:
        """Return the answer, which is as the OpenAPI document says."""
        answer = await self.answer(name, **params)
        assert answer.status_code == 200, answer.text
        document = (await self.doorway.client.get("/openapi.json")).json()
        check(document, answer, "get", f"/api/connections/{{id}}/dependencies/{name}")
        return answer.json()


@pytest.fixture
async def reader(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Reader]:
    edges = (
        Dependency(BASKET, BUYING, TAKEN_AT - 9 * DAY, TAKEN_AT),
        Dependency(BASKET, STOCK, TAKEN_AT - 9 * DAY, TAKEN_AT - 3 * DAY, gone_at=TAKEN_AT - 2 * DAY),
    )
    stock = (Dependency(STOCK, BASKET, TAKEN_AT, TAKEN_AT, absent_at=TAKEN_AT - DAY),)
    began = TAKEN_AT - 5 * DAY
    snapshot = small_snapshot(
        services=tuple(
            Service(key.id, name, None, "active", "PPOL")
            for key, name in ((BASKET, "Basket"), (STOCK, "Stock"))
        ),
        business_services=(BusinessService("PBUY", "Buying"),),
        dependencies=(
            ServiceDependencies(BUYING, TAKEN_AT),
            ServiceDependencies(BASKET, TAKEN_AT, edges),
            ServiceDependencies(STOCK, TAKEN_AT, stock),
        ),
        incidents=(
            Incident("PINC", 1, None, "PSHOP", "PPOL", Urgency.HIGH, began, began + 7200, "resolved"),
        ),
    )
    stored = store_snapshot(database, snapshot)
    async with open_doorway(database, keyring, tmp_path) as doorway:
        yield Reader(doorway, stored.connection_id)


async def test_the_api_and_the_terminal_show_the_map_what_is_critical_and_what_changed(
    reader: Reader,
) -> None:
    shown = await reader.get("map", focus="stock", hops="1")
    assert [service["name"] for service in shown["services"]] == ["Basket", "Stock"]
    assert shown["dependencies"] == [{"supporting": str(STOCK), "dependent": str(BASKET)}]
    critical = await reader.get("critical", service="Buying", now=_text(TAKEN_AT))
    assert critical["business_services"][0]["impacted_hours"] == 2.0
    assert [part["service"]["name"] for part in critical["business_services"][0]["chain"]] == [
        "Basket",
        "Buying",
    ]
    points = await reader.get("single-points", now=_text(TAKEN_AT))
    assert [point["service"]["name"] for point in points["single_points"]] == ["Basket"]
    proposals, changes = await reader.get("undeclared"), await reader.get("changes")
    assert [(change["what"], change["supporting"]["name"]) for change in changes["changes"]] == [
        ("added", "Stock"), ("removed", "Basket"),
    ]  # fmt: skip
    console = Console(width=160, record=True, file=None, quiet=False)
    with console.capture() as captured:
        for view, answer in (
            (map_view, shown), (critical_view, critical), (single_points_view, points),
            (undeclared_view, proposals), (changes_view, changes),
        ):  # fmt: skip
            console.print(view(answer))
    text = captured.get()
    assert "critical chain: Basket → Buying" in text and "No services begin to fail together" in text


async def test_a_map_has_other_forms_and_a_past(reader: Reader) -> None:
    picture = await reader.answer("map.svg")
    assert picture.status_code == 200 and picture.text.startswith("<svg")
    assert (await reader.answer("map", format="mermaid")).text.startswith("flowchart BT\n")
    assert (await reader.answer("map", format="dot")).text.startswith("digraph")
    before = await reader.answer("map", at=_text(TAKEN_AT - 4 * DAY))
    assert {edge["dependent"] for edge in before.json()["dependencies"]} == {str(BUYING), str(STOCK)}


async def test_what_is_not_there_or_not_the_readers_is_not_found(reader: Reader) -> None:
    assert (await reader.answer("map", focus="nothing")).status_code == 404
    assert (await reader.answer("critical", service="nothing")).status_code == 404
    assert (await reader.answer("map", scope="organization:other")).status_code == 404


def _text(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
