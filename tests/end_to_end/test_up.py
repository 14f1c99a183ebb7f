"""`calmo-pagerduty up`: everything on one machine, from nothing, and away without a trace."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from calmo_pagerduty.http_client import tls_context
from calmo_pagerduty.pagerduty.event_types import EventType
from tests.support.builders import an_event, new_id
from tests.support.eventually import eventually
from tests.support.patience import ANSWER, STORY
from tests.support.up_process import WITHOUT_ANALYSES, UpProcess, all_gone, an_up, deliver

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


async def test_ctrl_c_stops_everything_and_starting_again_keeps_the_data(demo: UpProcess) -> None:
    before, key = await demo.issues(), demo.api_key
    assert len(before) == DEMO_INCIDENTS
    parts, family = demo.parts(), demo.family()
    assert len(parts) == 7, "up, temporal, worker, door, api, forwarder, simulator"
    await demo.stop(signal.SIGINT)
    assert demo.running.returncode == 0
    await all_gone(parts, within=0)
    # The worker's own children, if an analysis has run, see that it is gone and follow.
    await all_gone(family)

    await demo.start("--no-demo")
    await demo.until_ready()
    assert demo.api_key == key
    assert await demo.issues() == before


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


async def test_a_killed_up_takes_all_its_parts_with_it(tmp_path: Path) -> None:
    async with an_up(tmp_path / "data", tmp_path, **WITHOUT_ANALYSES) as up:
        await up.start("--speed", "1")
        await up.until_ready()
        family = up.family()
        assert len(up.parts()) == 7, "up, temporal, worker, door, api, forwarder, simulator"
        await up.stop(signal.SIGKILL)
        await all_gone(family)


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
        await other.until_ready()
        unsure = await other.calmo("issues", "list")
        sure = await other.calmo("issues", "list", "--json", "--data-dir", str(other.folder))
    assert unsure.one_clear_line, unsure
    assert "--data-dir" in unsure.errors
    assert (sure.status, sure.output.strip()) == (0, '{"issues": [], "next_cursor": null}')
