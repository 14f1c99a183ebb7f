"""Server-sent events from the real server: each change once, in order, also after a break."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.db import tables
from calmo_pagerduty.http_client import tls_context
from calmo_pagerduty.incidents import store as issues
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import EventType
from ingress.incidents.endpoints import CHANGE_BATCH_SIZE
from tests.support.builders import NOON, an_event, body_of, facts, headers_for, new_id
from tests.support.doors import make_key, make_webhook, rows, save_pending
from tests.support.ingress_process import IngressProcess, run_ingress
from tests.support.patience import ANSWER, PROGRAM

#: Programs of their own.
pytestmark = pytest.mark.slow

SHOP, BANK = "organization:shop", "organization:bank"


@pytest.fixture(scope="module")
def ingress(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IngressProcess]:
    with run_ingress(tmp_path_factory.mktemp("live")) as process:
        yield process


class Stream:
    """One reader of the stream: `take` returns the next events."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def take(self, count: int) -> list[dict[str, Any]]:
        return [self._next() for _ in range(count)]

    def _next(self) -> dict[str, Any]:
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line and "data" in fields:
                return {"id": int(fields["id"]), "event": fields["event"], **json.loads(fields["data"])}
            name, _, value = line.partition(": ")
            fields[name] = value
        raise AssertionError("the stream ended")


@contextmanager
def a_stream(
    ingress: IngressProcess,
    scopes: list[str] | None = None,
    last_event_id: str | None = None,
    query: str = "",
) -> Iterator[Stream]:
    headers = make_key(ingress.database, ["issues:read"], scopes)
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    url = f"{ingress.url}/api/issues/events{query}"
    with httpx.stream("GET", url, headers=headers, timeout=ANSWER) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer.iter_lines())


def a_change(ingress: IngressProcess, scope: str = SHOP, incident: str | None = None) -> str:
    """Deliver one event and save it; returns the incident's id."""
    incident = incident or new_id()
    webhook = make_webhook(ingress.database, ingress.keyring, scope=scope)
    body = body_of(an_event(EventType.TRIGGERED, incident))
    url = f"{ingress.url}/webhooks/pagerduty/{webhook}"
    answer = httpx.post(url, content=body, headers=headers_for(body), verify=tls_context(), timeout=ANSWER)
    assert answer.status_code == 202
    save_pending(ingress.database)
    return incident


def latest(ingress: IngressProcess) -> int:
    return max((row.id for row in rows(ingress.database, tables.issue_changes)), default=0)


def test_changes_come_as_they_happen_in_order_and_with_their_issue(ingress: IngressProcess) -> None:
    with a_stream(ingress) as stream:
        made = [a_change(ingress) for _ in range(3)]
        events = stream.take(3)
    assert [event["issue"]["incident_id"] for event in events] == made
    assert [event["event"] for event in events] == ["issue"] * 3
    assert events[0]["event_types"] == ["incident.triggered"]
    assert [event["id"] for event in events] == sorted({event["id"] for event in events})


def test_a_new_reader_hears_only_what_is_new(ingress: IngressProcess) -> None:
    a_change(ingress)
    with a_stream(ingress) as stream:
        made = a_change(ingress)
        [event] = stream.take(1)
    assert event["issue"]["incident_id"] == made


@pytest.mark.parametrize("resume", ["header", "query"])
def test_after_a_break_exactly_the_missed_changes_come_in_order(ingress: IngressProcess, resume: str) -> None:
    with a_stream(ingress) as stream:
        a_change(ingress)
        [heard] = stream.take(1)
    missed = [a_change(ingress) for _ in range(5)]
    last = str(heard["id"])
    given: dict[str, Any] = {"last_event_id": last} if resume == "header" else {"query": f"?after={last}"}
    with a_stream(ingress, **given) as stream:
        missed.append(a_change(ingress))
        events = stream.take(6)
    assert [event["issue"]["incident_id"] for event in events] == missed


def test_more_missed_changes_than_are_read_at_once_all_come(ingress: IngressProcess) -> None:
    a_change(ingress)
    before, count = latest(ingress), CHANGE_BATCH_SIZE + 30
    ref = ref_of(rows(ingress.database, tables.issues)[0])
    escalations = [facts(EventType.ESCALATED) for _ in range(count)]

    def save(connection: sa.Connection) -> None:
        for escalation in escalations:
            issues.insert_events(connection, ref, [escalation], Severity.MEDIUM, NOON)

    ingress.database.write_blocking(save)
    with a_stream(ingress, last_event_id=str(before)) as stream:
        events = stream.take(count)
    expected = [row.id for row in rows(ingress.database, tables.issue_changes) if row.id > before]
    assert [event["id"] for event in events] == expected


def ref_of(row: sa.Row[Any]) -> IncidentRef:
    return IncidentRef(connection_id=row.connection_id, incident_id=row.incident_id)


def test_a_reader_hears_nothing_of_other_scopes(ingress: IngressProcess) -> None:
    before = latest(ingress)
    a_change(ingress, BANK)
    shops = a_change(ingress, SHOP)
    a_change(ingress, BANK)
    also_shops = a_change(ingress, SHOP)
    with a_stream(ingress, [SHOP], last_event_id=str(before)) as stream:
        events = stream.take(2)
    assert [event["issue"]["incident_id"] for event in events] == [shops, also_shops]
    assert {event["issue"]["scope"] for event in events} == {SHOP}


@pytest.mark.parametrize("odd", ["", "x", "-1", "²", "1.5", "9" * 200])
def test_an_odd_last_event_id_is_no_error(ingress: IngressProcess, odd: str) -> None:
    key = make_key(ingress.database, ["issues:read"])
    headers = [(name.encode(), value.encode()) for name, value in key.items()]
    headers.append((b"Last-Event-ID", odd.encode()))
    with httpx.stream("GET", f"{ingress.url}/api/issues/events", headers=headers, timeout=ANSWER) as answer:
        assert answer.status_code == 200


def test_a_live_stream_does_not_hold_up_the_shutdown(tmp_path: Path) -> None:
    with run_ingress(tmp_path) as ingress, a_stream(ingress) as stream:
        a_change(ingress)
        stream.take(1)
        ingress.terminate()
        with pytest.raises((AssertionError, httpx.TransportError)):
            stream.take(1)
        assert ingress.child.wait(PROGRAM) in {0, -signal.SIGTERM}
