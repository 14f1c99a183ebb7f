"""The digest on Temporal: made once, weekly in the account's zone, and rescheduled by whoever may."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calmo_pagerduty.db import tables
from calmo_pagerduty.findings.service import FindingService
from calmo_pagerduty.oncall.digest_service import DigestSummary, DigestToMake
from ingress.oncall.scheduler import OnCallScheduler
from ingress.reconciliation import schedules
from tests.support.doors import rows
from tests.support.eventually import eventually
from tests.support.findings import ANA, RETAIL, a_finding, a_gap, a_result
from tests.support.system import System
from tests.support.terminal import Terminal
from tests.support.tool_callers import served
from workflows import names
from workflows.oncall_digest import DigestStart


async def record(service: System, time_zone: str = "Europe/London") -> None:
    now = int(datetime.now(UTC).timestamp()) - 60
    person = a_finding("PANA", title="Ana", entities=(ANA, RETAIL), about_persons=True)
    result = a_result(replace(a_gap(), at=None), person, now=now, time_zone=time_zone)
    await FindingService(service.database).record(service.connection_id, result)


async def make(service: System) -> DigestSummary:
    settings = service.ingress.services.settings
    summary: DigestSummary = await service.ingress.services.temporal.client.execute_workflow(
        names.ONCALL_DIGEST_WORKFLOW,
        DigestStart(connection_id=service.connection_id),
        id=names.digest_workflow_id(service.connection_id),
        task_queue=settings.task_queue,
        result_type=DigestSummary,
    )
    return summary


def scheduler_of(service: System) -> OnCallScheduler:
    services = service.ingress.services
    return OnCallScheduler(service.database, services.temporal, services.settings.task_queue)


async def test_a_digest_is_made_kept_and_read_in_each_form(working: System) -> None:
    await record(working)
    path = f"/api/connections/{working.connection_id}/digest"
    assert (await working.http.get(path, headers=working.headers)).status_code == 404
    summary = await make(working)
    assert (summary.is_new, summary.is_silent, summary.lines) == (True, False, {"gaps": 1, "new": 1})
    [kept] = rows(working.database, tables.oncall_digests)
    assert kept.until - kept.since == timedelta(days=7)
    whole = await working.get(path)
    assert [line["part"] for line in whole["lines"]] == ["gaps", "new"]
    for form, media in (("markdown", "text/markdown"), ("html", "text/html")):
        answer = await working.http.get(path, params={"format": form}, headers=working.headers)
        assert answer.headers["content-type"].startswith(media)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "Ana" in answer.text
        reader = working.a_key("findings:read")
        hidden = await working.http.get(path, params={"format": form}, headers=reader)
        assert "Ana" not in hidden.text and "a person" in hidden.text
    async with served(working) as url:
        terminal = Terminal(url, working)
        shown = await terminal.run("findings", "digest", "--connection", working.connection_id)
        assert "# On-call digest" in shown.text
        preview = await terminal.run(
            "findings", "digest", "--connection", working.connection_id, "--preview", "--json"
        )
        assert preview.json["since"] == whole["until"]
        report = await terminal.run("oncall", "report")
        assert "# On-call report" in report.text
        page = await terminal.run("oncall", "report", "--format", "html")
        assert page.text.startswith("<!doctype html>") and page.text.endswith("</html>\n")


async def test_an_activity_that_tries_again_makes_no_second_digest(working: System) -> None:
    await record(working)
    service = working.ingress.services.digest_service
    order = DigestToMake(connection_id=working.connection_id, until=datetime.now(UTC))
    first, second = [await service.make(order) for _ in range(2)]
    assert first is not None and second is not None
    assert (first.is_new, second.is_new) == (True, False)
    assert len(rows(working.database, tables.oncall_digests)) == 1
    assert await service.make(DigestToMake(connection_id="con_none", until=datetime.now(UTC))) is None


async def test_it_is_scheduled_weekly_in_the_accounts_zone_and_can_be_rescheduled(
    working: System,
) -> None:
    path = f"/api/connections/{working.connection_id}/digest/schedule"
    assert (await working.get(path))["exists"] is False
    await record(working, "America/New_York")

    async def sweep() -> None:
        await scheduler_of(working).schedule_once()

    await sweep()
    found = await working.get(path)
    assert found["time"] == {
        "weekday": "monday", "hour": 7, "minute": 0, "time_zone": "America/New_York",
    }  # fmt: skip
    first = datetime.fromisoformat(found["next_times"][0])
    assert (first.weekday(), first.hour in {11, 12}) == (0, True)
    changed = {"weekday": "friday", "hour": 16, "minute": 30, "time_zone": "Europe/London"}
    answer = await working.http.put(path, json=changed, headers=working.headers)
    assert answer.json()["time"] == changed
    await sweep()
    assert (await working.get(path))["time"] == changed
    bad = await working.http.put(path, json={"time_zone": "Mars/Base"}, headers=working.headers)
    assert bad.status_code == 400


@pytest.mark.parametrize("silent", [True, False])
async def test_the_schedule_fires_and_a_week_in_which_all_was_well_is_silent(
    working: System, silent: bool
) -> None:
    client = working.ingress.services.temporal.client
    if silent:
        clean = a_result(now=int(datetime.now(UTC).timestamp()) - 60)
        await FindingService(working.database).record(working.connection_id, clean)
    else:
        await record(working)
    await scheduler_of(working).schedule_once()
    [digest] = schedules.DIGEST
    handle = client.get_schedule_handle(digest.id_of(working.connection_id))
    await handle.trigger()

    async def made() -> list[bool]:
        return [row.is_silent for row in rows(working.database, tables.oncall_digests)]

    assert await eventually(made) == [silent]
    assert (await handle.describe()).info.num_actions == 1
    told = await working.get(f"/api/connections/{working.connection_id}/digest")
    assert bool(told["lines"]) is not silent


async def test_a_removed_connection_has_no_digest_any_more(working: System) -> None:
    await record(working)
    await scheduler_of(working).schedule_once()
    path = f"/api/connections/{working.connection_id}"
    assert (await working.get(f"{path}/digest/schedule"))["exists"] is True
    assert (await working.http.delete(path, headers=working.headers)).status_code == 200
    await scheduler_of(working).schedule_once()
    client = working.ingress.services.temporal.client
    left = await schedules.list_scheduled_connections(client, schedules.DIGEST)
    assert working.connection_id not in left
