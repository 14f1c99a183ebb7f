"""Reports made on a schedule, kept, and sent to a real receiver that checks signatures itself."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator

import pytest

from calmo_pagerduty.db import tables
from calmo_pagerduty.reports.delivery_rules import (
    RETRY_DELAYS,
    AddressRefused,
    Outcome,
    checked_address,
    may_connect,
    outcome_of,
)
from tests.reports.test_made import an_account
from tests.support.doors import rows
from tests.support.report_inbox import Inbox, run_report, running_inbox
from tests.support.snapshots import store_snapshot
from tests.support.system import System


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    async with running_inbox() as made:
        yield made


async def test_a_report_is_kept_delivered_again_after_a_500_and_logged(working: System, inbox: Inbox) -> None:
    connection = store_snapshot(working.database, an_account()).connection_id
    path, headers = f"/api/connections/{connection}", working.headers
    unsent = await run_report(working, connection)
    assert (unsent.is_kept, unsent.outcome, unsent.attempts) == (True, None, 0)
    answer = await working.http.put(
        f"{path}/report-address", json={"url": f"{inbox.url}/calmo?x=1"}, headers=headers
    )
    secret = answer.json()["secret"]
    inbox.script = ["500 Internal Server Error"]
    end = await run_report(working, connection)
    assert (end.outcome, end.attempts) == (Outcome.DELIVERED, 2)
    for request in inbox.received:
        stamp, id = request.headers["calmo-timestamp"], request.headers["calmo-delivery-id"]
        signed = f"{stamp}.{id}.".encode() + request.body
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        assert request.headers["calmo-signature"] == f"v1={expected}"
        assert id == end.report_id
    assert inbox.received[0].body == inbox.received[1].body
    sent = json.loads(inbox.received[0].body)
    assert sent["report"]["author"] == "Calmo's schedule"
    assert sent["markdown"].startswith("# Weekly operations")
    log = (await working.get(f"{path}/report-deliveries"))["deliveries"]
    assert [(row["attempt"], row["outcome"], row["status"]) for row in log] == [
        (2, "delivered", 204),
        (1, "retry", 500),
    ]
    kept = (await working.get(f"{path}/reports"))["reports"]
    assert {row["id"] for row in kept} == {unsent.report_id, end.report_id}
    page = await working.http.get(
        f"{path}/report", params={"kept": end.report_id, "format": "md"}, headers=headers
    )
    assert page.text == sent["markdown"]
    # The secret is sealed, and nobody reads it again.
    [row] = rows(working.database, tables.report_addresses)
    assert secret.encode() not in row.sealed
    assert secret not in (await working.http.get(f"{path}/report-address", headers=headers)).text
    # A redirect is not followed: the address is the administrator's, and no other.
    inbox.script = ["302 Found"]
    moved = await run_report(working, connection)
    assert (moved.outcome, moved.attempts, len(inbox.received)) == (Outcome.FAILED, 1, 3)
    await working.http.delete(f"{path}/report-address", headers=headers)
    assert (await run_report(working, connection)).outcome is None


async def test_a_kind_is_scheduled_rescheduled_and_ended(working: System) -> None:
    path = f"/api/connections/{working.connection_id}/report-schedules"
    assert (await working.get(path))["schedules"] == []
    body = {"kind": "service-review", "every": "month", "hour": 6, "time_zone": "Europe/Berlin"}
    set_ = (await working.http.put(path, json=body, headers=working.headers)).json()["schedules"]
    assert [row["kind"] for row in set_] == ["service-review"]
    assert [time[8:10] for time in set_[0]["next_times"]] == ["01"] * 3
    weekly = {"kind": "service-review", "every": "week", "weekday": "friday"}
    [row] = (await working.http.put(path, json=weekly, headers=working.headers)).json()["schedules"]
    assert row["next_times"][0] != set_[0]["next_times"][0]
    never = {"kind": "service-review", "every": "never"}
    ended = (await working.http.put(path, json=never, headers=working.headers)).json()["schedules"]
    assert ended == []


@pytest.mark.parametrize(
    "url",
    [
        "http://reports.example/x", "ftp://reports.example", "https://", "https://user:pw@reports.example/",
        "https://10.0.0.8/x", "https://169.254.169.254/latest/meta-data", "https://[fd00::1]/", "file:///etc",
        "https://reports.example/#x", "https://reports.example:99999/",
    ],
)  # fmt: skip
def test_an_address_that_leads_inside_or_is_not_https_is_refused(url: str) -> None:
    for to_this_machine in (False, True):
        with pytest.raises(AddressRefused):
            checked_address(url, to_this_machine)


def test_a_name_may_lead_to_the_internet_only_and_this_machine_to_itself_only() -> None:
    assert checked_address("https://reports.example/calmo?team=a", to_this_machine=False)
    assert may_connect("reports.example", "93.184.215.14", to_this_machine=False)
    for inside in ("127.0.0.1", "10.1.2.3", "192.168.0.9", "169.254.169.254", "::1", "fd00::1", "0.0.0.0"):  # noqa: S104 - an address that is refused
        assert not may_connect("reports.example", inside, to_this_machine=True)
    assert may_connect("localhost", "127.0.0.1", to_this_machine=True)
    assert not may_connect("localhost", "10.1.2.3", to_this_machine=True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8233/x", "https://localhost/x", "http://[::1]:9000/x"])
def test_a_server_sends_no_report_to_what_runs_beside_it(url: str) -> None:
    assert checked_address(url, to_this_machine=True)
    with pytest.raises(AddressRefused, match="only while PagerDuty is simulated"):
        checked_address(url, to_this_machine=False)
    assert not may_connect("localhost", "127.0.0.1", to_this_machine=False)


def test_what_may_change_is_tried_again_until_the_attempts_are_spent() -> None:
    last = len(RETRY_DELAYS) + 1
    for status in (None, 500, 503, 408, 429):
        assert outcome_of(status, 1) is Outcome.RETRY
        assert outcome_of(status, last) is Outcome.FAILED
    for status in (301, 400, 401, 404, 410):
        assert outcome_of(status, 1) is Outcome.FAILED
    assert outcome_of(202, last) is Outcome.DELIVERED
