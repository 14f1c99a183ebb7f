"""`calmo-pagerduty up`: everything on one machine, from nothing, and away without a trace."""

import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from calmo_pagerduty.http_client import tls_context
from calmo_pagerduty.pagerduty.event_types import EventType
from ingress.commands.instances import INSTANCE_FILE
from tests.support.builders import an_event, new_id
from tests.support.eventually import eventually
from tests.support.patience import ANSWER, STORY
from tests.support.up_process import (
    WITHOUT_ANALYSES,
    UpProcess,
    all_gone,
    an_up,
    deliver,
    environment_with,
)

DEMO_INCIDENTS = 7
#: An argument that only this part is started with.
PARTS = {
    "worker": "worker", "door": "door", "api": "api", "forwarder": "forwarder", "temporal": "start-dev",
}  # fmt: skip
WHOLE_LIFE = (
    EventType.TRIGGERED, EventType.ACKNOWLEDGED, EventType.ANNOTATED, EventType.ESCALATED,
    EventType.RESOLVED, EventType.REOPENED, EventType.RESOLVED,
)  # fmt: skip


async def the_demo_is_over(up: UpProcess) -> None:
    """Every incident of the story is reopened once, and ends resolved."""

    async def lives() -> list[tuple[bool, str]]:
        return [(issue["reopened_at"] is not None, issue["status"]) for issue in await up.issues()]

    await eventually(lives, lambda found: found == [(True, "resolved")] * DEMO_INCIDENTS, within=STORY)


def in_this_order(wanted: tuple[str, ...], found: list[str]) -> bool:
    """Whether all wanted are found in this order, whatever lies between them."""
    rest = iter(found)
    return all(text in rest for text in wanted)


@pytest.fixture(scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[UpProcess]:
    """A demo that is over, started in surroundings that are meant for other programs."""
    state = tmp_path_factory.mktemp("demo")
    not_a_folder = state / "file"
    not_a_folder.write_text("")
    foreign = {
        "TEMPORAL_ADDRESS": "temporal.example:7233",
        "TEMPORAL_NAMESPACE": "other",
        "TEMPORAL_API_KEY": "not-ours",
        "TEMPORAL_TLS_CLIENT_CERT_PATH": "/nowhere/cert.pem",
        "TEMPORAL_PROFILE": "other",
        "TEMPORAL_ENV": "other",
        "CALMO_PUBLIC_URL": "https://calmo.example",
        "CALMO_HTTP_HOST": "192.0.2.1",
        "HOME": str(not_a_folder / "home"),
        "XDG_STATE_HOME": str(not_a_folder / "state"),
    }
    async with an_up(state / "a folder with spaces", state, **foreign) as up:
        await up.start("--speed", "100")
        await up.until_ready()
        await the_demo_is_over(up)
        yield up


async def test_the_demo_plays_incidents_of_all_severities_through_their_whole_lives(demo: UpProcess) -> None:
    issues = [await demo.issue(issue["id"]) for issue in await demo.issues()]
    assert {issue["severity"] for issue in issues} == {"critical", "warning", "medium", "info"}
    for issue in issues:
        lived = [entry["event_type"] for entry in issue["timeline"]]
        assert in_this_order(WHOLE_LIFE, lived), lived


async def test_the_callers_surroundings_do_not_matter(demo: UpProcess) -> None:
    ui = f"http://127.0.0.1:{demo.ui_port}"
    for issue in await demo.issues():
        assert issue["workflow_url"].startswith(f"{ui}/namespaces/default/")
    async with httpx.AsyncClient(trust_env=False, verify=tls_context(), timeout=ANSWER) as http:
        assert (await http.get(f"{ui}/")).status_code == 200


async def test_the_tools_reach_the_simulated_pagerduty_of_the_demo(demo: UpProcess) -> None:
    incident = (await demo.issues())[0]["incident_id"]
    async with demo.api() as api:
        read = await api.post("/api/tools/get_incident", json={"arguments": {"incident_id": incident}})
        note = {"arguments": {"incident_id": incident, "content": "x"}}
        written = await api.post("/api/tools/add_incident_note", json=note)
    assert (read.status_code, read.json()["result"]["status"]) == (200, "resolved")
    assert (written.status_code, written.json()["error"]["rule"]) == (403, "default")


#: What is wrong with on-call in the demo's account, in the words of its findings.
PLANTED = (
    "Nobody is on call on any level of Logistics on-call",
    "Logistics on-call: Hanna Virtanen is on level 1 and never paged there",
    "Logistics on-call: 1 incident reached the path's end unanswered",
    " above the share in Logistics primary",
)


async def test_the_first_analyses_name_what_is_wrong_with_on_call_in_the_demo(demo: UpProcess) -> None:
    async def said() -> str:
        return demo.output

    output = await eventually(said, lambda text: "the worst of each kind:" in text, within=STORY)
    async with demo.api() as api:
        findings = (await api.get("/api/findings", params={"limit": 200})).json()["findings"]
    titles = [finding["title"] for finding in findings]
    for planted in PLANTED:
        assert any(planted in title for title in titles), (planted, titles)
    told = output.partition("the worst of each kind:")[2]
    assert all(planted in told for planted in PLANTED[:3]), told
    assert "the share in" in told


@dataclass(frozen=True, slots=True)
class Killed:
    """What the demo was when it was killed."""

    api_key: str
    issues: list[dict[str, Any]]
    parts: list[psutil.Process]
    family: list[psutil.Process]


@pytest.fixture(scope="module")
async def killed(demo: UpProcess) -> Killed:
    """Kill the demo, and nothing but its first process."""
    found = Killed(demo.api_key, await demo.issues(), demo.parts(), demo.family())
    await demo.stop(signal.SIGKILL)
    return found


@pytest.fixture(scope="module")
async def service(demo: UpProcess, killed: Killed) -> UpProcess:
    """The killed demo, started again without a demo, in its own surroundings. It serves all other tests."""
    await all_gone(killed.family)
    demo.environment = environment_with(demo.state, **WITHOUT_ANALYSES)
    await demo.start("--no-demo")
    await demo.until_ready()
    return demo


async def test_a_killed_up_takes_all_its_parts_with_it(killed: Killed) -> None:
    assert len(killed.parts) == 7, "up, temporal, worker, door, api, forwarder, simulator"
    await all_gone(killed.family)


async def test_starting_again_keeps_the_data(service: UpProcess, killed: Killed) -> None:
    assert len(killed.issues) == DEMO_INCIDENTS
    assert service.api_key == killed.api_key
    assert await service.issues() == killed.issues


@pytest.mark.parametrize("part", PARTS)
async def test_a_killed_part_is_started_again_and_events_go_on(
    service: UpProcess, webhook_url: str, webhook_secret: bytes, part: str
) -> None:
    victim = service.part(PARTS[part])
    assert victim is not None
    victim.kill()

    async def replaced() -> bool:
        return service.part(PARTS[part]) not in (None, victim)

    await eventually(replaced)
    incident = new_id()

    async def taken_in() -> int:
        try:
            return await deliver(webhook_url, an_event(EventType.TRIGGERED, incident), webhook_secret)
        except httpx.TransportError:
            return 0

    await eventually(taken_in, lambda status: status == 202)

    async def is_an_issue() -> bool:
        try:
            return incident in [issue["incident_id"] for issue in await service.issues()]
        except httpx.TransportError:
            return False

    await eventually(is_an_issue)


async def test_two_services_run_side_by_side_and_the_command_line_asks_which(
    service: UpProcess, tmp_path: Path
) -> None:
    async with an_up(tmp_path / "other", service.state) as other:
        await other.start("--no-demo")

        async def is_found() -> bool:
            return (other.folder / INSTANCE_FILE).exists()

        # Its API need not answer for that.
        await eventually(is_found)
        unsure = await other.calmo("issues", "list")
        sure = await other.calmo("issues", "list", "--json", "--data-dir", str(service.folder))
    assert unsure.one_clear_line, unsure
    assert "--data-dir" in unsure.errors
    assert sure.status == 0, sure
    listed = json.loads(sure.output)["issues"]
    assert {issue["id"] for issue in listed} >= {issue["id"] for issue in await service.issues()}


async def test_ctrl_c_stops_everything(service: UpProcess) -> None:
    """Also the simulator: tests/end_to_end/test_live_table.py."""
    parts, family = service.parts(), service.family()
    assert len(parts) == 6, "up, temporal, worker, door, api, forwarder"
    await service.stop(signal.SIGINT)
    assert service.running.returncode == 0
    await all_gone(parts, within=0)
    # The worker's own children, if an analysis has run, see that it is gone and follow.
    await all_gone(family)


async def test_ctrl_c_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    async with an_up(tmp_path / "data", tmp_path) as up:
        await up.start("--no-demo")

        async def temporal_starts() -> bool:
            return up.part(PARTS["temporal"]) is not None

        await eventually(temporal_starts)
        family = up.family()
        await up.stop(signal.SIGINT)
    await all_gone(family, within=0)
    assert "Traceback" not in up.output
