"""Calls of a read tool compared with its bare HTTP request, and the cost of calls that wait for approval."""

import asyncio
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Figure, Figures, median_of
from bench.product import ProductSide, running_product
from bench.progress import print_progress
from bench.sizes import Sizes
from bootstrap.store import open_store
from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.permissions import ALL_PERMISSIONS
from calmo_pagerduty.http_client import AsyncClient, HTTPError
from calmo_pagerduty.processes import free_port, start_child, stop_child
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch

MAX_CONCURRENT = 16
#: The least rate of a tool's calls, as a share of the bare requests' rate.
TARGET = 1 / 3
RULES = ConnectionRules(switches={"risk:high": Switch.ALLOW}, writes_per_hour=100_000)

_MCP_VERSION = "2026-07-28"
MCP_HEADERS = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": _MCP_VERSION,
    "Mcp-Method": "tools/call",
    "Mcp-Name": "get_incident",
}
META = {
    "io.modelcontextprotocol/protocolVersion": _MCP_VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}

SendRequest = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SimulatorInfo:
    """A simulated PagerDuty in its own process, with a rate limit that is never reached."""

    url: str
    token: str
    incident_id: str
    service_id: str


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    figures: Figures = {}
    async with (
        running_simulator(folder) as simulated,
        running_product(folder / "product", CALMO_SIMULATOR_URL=simulated.url) as product,
        AsyncClient(timeout=60.0, trust_env=False) as http,
    ):
        connection_id = product.connect_account(simulated.token, RULES, requests_per_minute=10_000_000)
        key = _make_key(folder / "product")
        faces = _channels(http, product, simulated, connection_id, key)
        print_progress(f"tools: {sizes.slices} slices of {sizes.tool_calls} calls on each face")
        rates: dict[str, list[float]] = {name: [] for name in faces}
        for number in range(sizes.slices):
            order = list(faces.items())
            for name, ask in order if number % 2 == 0 else reversed(order):
                rates[name].append(await _rate(ask, sizes.tool_calls))
        for name, values in rates.items():
            figures[f"{name}_calls"] = median_of(values, "calls/s")
        for name in ("rest", "mcp"):
            ratios = [ours / bare for ours, bare in zip(rates[name], rates["bare"], strict=True)]
            figures[f"{name}_ratio"] = median_of(ratios, "x bare", at_least=TARGET)
        figures |= await _approvals(http, product, simulated, connection_id, key, sizes.approvals)
    return figures, {"at_once": MAX_CONCURRENT, "approvals": sizes.approvals}


@asynccontextmanager
async def running_simulator(folder: Path) -> AsyncIterator[SimulatorInfo]:
    port, token = free_port(), secrets.token_hex(16)
    command = (
        sys.executable,
        "-m",
        "pagerduty_simulator",
        "serve",
        "--port",
        str(port),
        "--token-stdin",
        "--speed",
        "10000",
        "--incidents",
        "20",
        "--days",
        "2",
    )
    child = await start_child(command, folder / "simulator.log", {}, f"{token}\n".encode())
    try:
        url, headers = f"http://127.0.0.1:{port}", {"Authorization": f"Token token={token}"}
        async with AsyncClient(base_url=url, headers=headers, trust_env=False) as http:
            incident_id = await _first(http, "/incidents?date_range=all&limit=1", "incidents")
            service = await _first(http, "/services?limit=1", "services")
        yield SimulatorInfo(url, token, incident_id, service)
    finally:
        await stop_child(child, 5.0)


async def _first(http: AsyncClient, path: str, name: str) -> str:
    for _ in range(600):
        try:
            answer = await http.get(path)
            return str(answer.json()[name][0]["id"])
        except HTTPError:
            await asyncio.sleep(0.05)
    raise TimeoutError("the simulator did not answer within 30 s")


def _make_key(data_dir: Path) -> str:
    """Create an API key with all permissions."""
    now = datetime.now(UTC)
    with open_store(Settings(data_dir=data_dir)) as store:
        return store.database.write_blocking(
            lambda t: api_keys.insert_key(t, "bench", ALL_PERMISSIONS, None, now)
        )


def _channels(
    http: AsyncClient, product: ProductSide, simulated: SimulatorInfo, connection_id: str, key: str
) -> Mapping[str, SendRequest]:
    """Return functions that send the same request bare, over REST and over MCP, with the same HTTP client."""
    arguments = {"incident_id": simulated.incident_id}
    bearer = {"Authorization": f"Bearer {key}"}

    async def bare() -> None:
        headers = {"Authorization": f"Token token={simulated.token}"}
        answer = await http.get(f"{simulated.url}/incidents/{simulated.incident_id}", headers=headers)
        assert answer.json()["incident"]["id"] == simulated.incident_id

    async def rest() -> None:
        body = {"connection": connection_id, "arguments": arguments}
        answer = await http.post(f"{product.url}/api/tools/get_incident", json=body, headers=bearer)
        assert answer.json()["result"]["id"] == simulated.incident_id, answer.text

    async def mcp() -> None:
        headers = {**bearer, **MCP_HEADERS}
        call = {"name": "get_incident", "arguments": arguments}
        request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**call, "_meta": META}}
        url = f"{product.url}/mcp?connection={connection_id}"
        answer = await http.post(url, json=request, headers=headers)
        result = json.loads(answer.json()["result"]["content"][0]["text"])
        assert result["untrusted"]["id"] == simulated.incident_id, answer.text

    return {"bare": bare, "rest": rest, "mcp": mcp}


async def _rate(ask: SendRequest, calls: int) -> float:
    """Return calls per second, with many calls at once."""
    left = iter(range(calls))

    async def lane() -> None:
        for _ in left:
            await ask()

    await ask()
    started = time.monotonic()
    await asyncio.gather(*(lane() for _ in range(MAX_CONCURRENT)))
    return calls / (time.monotonic() - started)


async def _approvals(
    http: AsyncClient,
    product: ProductSide,
    simulated: SimulatorInfo,
    connection_id: str,
    key: str,
    count: int,
) -> Figures:
    """Create calls that wait for approval; return how much memory and disk space they take."""
    print_progress(f"{count} calls wait for approval")
    before, stored = _memory(product), dict(product.database_bytes())
    body = {
        "connection": connection_id,
        "arguments": {"title": "Made by hand", "service_id": simulated.service_id},
        "wait_seconds": 0,
    }

    async def ask() -> None:
        headers = {"Authorization": f"Bearer {key}"}
        answer = await http.post(f"{product.url}/api/tools/create_incident", json=body, headers=headers)
        assert answer.json()["state"] == "waiting", answer.text

    rate = await _rate(ask, count)
    figures = {"approvals_asked": Figure(rate, "calls/s")}
    for name, size in _memory(product).items():
        figures[f"approvals_{name}_rss"] = Figure(size, "MB")
        figures[f"approvals_{name}_rss_added"] = Figure(size - before[name], "MB")
    for name, size in product.database_bytes().items():
        figures[f"approvals_{name}_bytes_each"] = Figure((size - stored[name]) / count, "bytes")
    return figures


def _memory(product: ProductSide) -> dict[str, float]:
    return {name: psutil.Process(pid).memory_info().rss / 1e6 for name, pid in product.pids().items()}
