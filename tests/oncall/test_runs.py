"""A run is started over REST or by its schedule, can be followed, and ends with findings recorded."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.oncall import reason_queries, store
from calmo_pagerduty.oncall.analyses import ANALYSES
from calmo_pagerduty.oncall.model import RunState, RunToStart
from calmo_pagerduty.oncall.reason_queries import AFTER_CHANGE, AFTER_OWN_CHANGE, FIRST_TIME
from ingress.oncall.scheduler import OnCallScheduler
from tests.support.builders import new_id
from tests.support.connected import TOKEN, add_connection
from tests.support.doors import ACME, make_webhook, rows
from tests.support.finished_calls import insert_finished_call
from tests.support.kept_deliveries import keep
from tests.support.parts import Parts
from tests.support.patience import ANSWER, STORY
from tests.support.recorded_oncall import run_oncall
from tests.support.system import System, running_system
from workflows import names

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def service(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts) as made:
        yield made


async def test_a_run_over_rest_is_followed_to_its_end_and_repeated_from_the_past(
    service: System,
) -> None:
    path = f"/api/connections/{service.connection_id}/oncall"
    answer = await service.http.post(f"{path}/runs", json={}, headers=service.headers, timeout=ANSWER)
    assert answer.status_code == 202, answer.text
    started = answer.json()
    streamed = await service.http.get(started["progress_url"], headers=service.headers, timeout=STORY)
    events = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: ")]
    ended = events[-1]
    assert ended["state"] == RunState.COMPLETE, ended
    assert [outcome["analysis"] for outcome in ended["outcomes"]] == list(ANALYSES)
    assert {outcome["problem"] for outcome in ended["outcomes"]} == {""}
    assert ended["tasks"] == 0 and ended["requests"] == len(service.site.requests)
    assert (await service.get(started["url"])) == ended
    [listed] = (await service.get(f"{path}/runs"))["runs"]
    assert listed == ended
    [snapshot] = (await service.get(f"{path}/snapshots"))["snapshots"]
    assert snapshot["id"] == ended["snapshot"] and snapshot["state"] == "complete"
    taken_at = datetime.fromisoformat(snapshot["taken_at"])
    _, again = await run_oncall(service, as_of=taken_at, now=taken_at)
    assert [outcome.digest for outcome in again.outcomes] == [
        outcome["digest"] for outcome in ended["outcomes"]
    ]
    assert len(rows(service.database, tables.analysis_results)) == len(ANALYSES)


async def test_a_refused_token_fails_the_run_and_says_so(service: System) -> None:
    service.site.revoke_token(TOKEN)
    _, ended = await run_oncall(service)
    assert (ended.state, ended.problem) == (RunState.FAILED, "PagerDuty refuses the connection's token")
    [run] = rows(service.database, tables.oncall_runs)
    assert (run.state, run.problem) == (RunState.FAILED, ended.problem)


async def test_each_connection_has_a_schedule_and_a_first_run(service: System) -> None:
    services = service.ingress.services
    scheduler = OnCallScheduler(services.database, services.temporal, services.settings.task_queue)
    await scheduler.schedule_once()
    workflow_id = names.oncall_workflow_id(service.connection_id)
    client = services.temporal.client
    assert (await client.get_schedule_handle(workflow_id).describe()).schedule.spec.intervals
    await client.get_workflow_handle(workflow_id).result()
    [run] = rows(service.database, tables.oncall_runs)
    assert run.reason == FIRST_TIME
    await scheduler.schedule_once()
    assert len(rows(service.database, tables.oncall_runs)) == 1


@pytest.fixture
def connection_id(database: Database, keyring: Keyring) -> str:
    return add_connection(database, keyring, ACME)


def reason(database: Database, connection_id: str, minutes: float) -> str | None:
    """Why to run, so many minutes after the last run began."""
    at = NOW + timedelta(minutes=minutes)
    return database.read_blocking(lambda t: reason_queries.get_run_reason(t, connection_id, at))


def begin(database: Database, connection_id: str) -> None:
    order = RunToStart(run_id=new_id(), connection_id=connection_id)
    database.write_blocking(lambda t: store.insert_run(t, order, (), NOW))


def change(database: Database, connection_id: str, tool: str, minutes: float) -> None:
    insert_finished_call(database, connection_id, tool, NOW + timedelta(minutes=minutes))


def test_a_change_made_here_is_a_reason_once_it_is_quiet(database: Database, connection_id: str) -> None:
    assert reason(database, connection_id, 0) == FIRST_TIME
    begin(database, connection_id)
    assert reason(database, connection_id, 600) is None
    change(database, connection_id, "resolve_incident", 1)
    assert reason(database, connection_id, 600) is None
    change(database, connection_id, "create_schedule_override", 20)
    assert reason(database, connection_id, 20.5) is None
    assert reason(database, connection_id, 21) == AFTER_OWN_CHANGE


def test_many_changes_do_not_put_a_run_off_for_long(database: Database, connection_id: str) -> None:
    begin(database, connection_id)
    for minute in range(20, 31):
        change(database, connection_id, "update_escalation_policy", minute)
    assert reason(database, connection_id, 30.5) == AFTER_OWN_CHANGE


def test_runs_do_not_follow_each_other_closely(database: Database, connection_id: str) -> None:
    begin(database, connection_id)
    change(database, connection_id, "update_schedule", 1)
    assert reason(database, connection_id, 9) is None
    assert reason(database, connection_id, 10) == AFTER_OWN_CHANGE


def test_a_service_that_was_changed_at_pagerduty_is_a_reason(database: Database, keyring: Keyring) -> None:
    hook = make_webhook(database, keyring, scope=ACME)
    [webhook] = rows(database, tables.webhooks)
    begin(database, webhook.connection_id)
    seq = keep(database, hook, at=NOW + timedelta(minutes=20))
    assert reason(database, webhook.connection_id, 30) is None
    updated = sa.update(tables.deliveries).where(tables.deliveries.c.seq == seq)
    database.write_blocking(lambda t: t.execute(updated.values(event_type="service.updated")))
    assert reason(database, webhook.connection_id, 30) == AFTER_CHANGE
