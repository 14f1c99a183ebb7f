"""Connections and the audit on the command line."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from calmo_pagerduty.db.tables import audit
from ingress.app import build_app
from pagerduty_simulator.rest.serving import running_server
from tests.support.connected import TOKEN
from tests.support.system import System
from tests.support.terminal import Terminal

ADD = ("connection", "add", "--name", "Ours", "--scope", "organization:acme", "--region", "simulator")
OTHER_TOKEN = "u+anothertoken-9876543210"


@pytest.fixture
async def terminal(service: System) -> AsyncIterator[Terminal]:
    async with running_server(build_app(service.ingress), "127.0.0.1", 0) as url:
        yield Terminal(url, service)


async def test_a_connection_is_added_seen_tried_out_and_removed(terminal: Terminal) -> None:
    added = await terminal.run(*ADD, "--token-stdin", "--json", said=f"{TOKEN}\n")
    assert added.code == 0, added.error
    mine = added.json["id"]
    listed = await terminal.run("connection", "list")
    shown = await terminal.run("connection", "show", mine)
    tried = await terminal.run("connection", "test", mine)
    assert mine in listed.text and "reads only" in listed.text
    assert mine in shown.text and "organization:acme" in shown.text
    assert tried.code == 0 and "the token is valid" in tried.text
    removed = await terminal.run("connection", "remove", mine)
    assert removed.code == 0
    listing = await terminal.service.get("/api/connections")
    assert mine not in {connection["id"] for connection in listing["connections"]}
    for said in (added, listed, shown, tried, removed):
        assert TOKEN not in said.text + said.error


async def test_a_new_token_takes_the_place_of_the_old_one(terminal: Terminal, service: System) -> None:
    service.site.add_token(OTHER_TOKEN)
    service.site.revoke_token(TOKEN)
    rotated = await terminal.run(
        "connection", "rotate", service.connection_id, "--token-stdin", said=OTHER_TOKEN
    )
    assert rotated.code == 0, rotated.error
    assert OTHER_TOKEN not in rotated.text
    await service.done("list_services")
    service.site.revoke_token(OTHER_TOKEN)
    tried = await terminal.run("connection", "test", service.connection_id)
    assert tried.code == 1 and "rejects the token" in tried.text


async def test_without_a_token_on_standard_input_one_line_says_so(
    terminal: Terminal, service: System
) -> None:
    failed = await terminal.run("connection", "rotate", service.connection_id, said="")
    assert failed.code == 1
    assert len(failed.error.splitlines()) == 1 and "no token on standard input" in failed.error


async def test_a_bad_token_is_refused_and_not_repeated(terminal: Terminal) -> None:
    failed = await terminal.run(*ADD, "--token-stdin", said="sh0rt")
    assert failed.code == 1
    assert "token" in failed.error and "sh0rt" not in failed.error


async def test_switches_are_set_and_taken_away(terminal: Terminal, service: System) -> None:
    permit = ("connection", "permit", service.connection_id, "--json")
    caps = ("--approve", "medium,high", "--writes-per-hour", "5", "--clear", "risk:medium")
    await terminal.run(*permit, "--allow", "category:services", "--deny", "risk:high", *caps)
    last = await terminal.run(*permit, "--team", "PWEB", "--allow", "tool:resolve_incident")
    rules = last.json["rules"]
    assert rules["switches"] == {"category:services": "allow", "risk:high": "deny"}
    assert rules["teams"] == {"PWEB": {"tool:resolve_incident": "allow"}}
    assert (sorted(rules["approve"]), rules["writes_per_hour"]) == (["high", "medium"], 5)
    assert (await terminal.run(*permit, "--approve", "none")).json["rules"]["approve"] == []


async def test_a_switch_about_nothing_is_said_in_one_line(terminal: Terminal, service: System) -> None:
    failed = await terminal.run("connection", "permit", service.connection_id, "--allow", "riks:high")
    assert failed.code == 1
    assert len(failed.error.splitlines()) == 1 and "risk:LEVEL" in failed.error


async def test_the_audit_is_listed_and_an_altered_row_is_named(terminal: Terminal, service: System) -> None:
    for _ in range(3):
        await service.done("list_services")
    table = (await terminal.run("audit", "list", "--limit", "2")).text
    assert [line.split()[0] for line in table.splitlines()] == ["#", "3", "2"]
    assert "list_services" in table and "done" in table
    whole = await terminal.run("audit", "verify")
    assert (whole.code, whole.text.split(",")[0]) == (0, "whole: 3 rows")
    altered = sa.update(audit).where(audit.c.seq == 2).values(record=audit.c.record + " ")
    service.database.write_blocking(lambda t: t.execute(altered))
    broken = await terminal.run("audit", "verify")
    assert (broken.code, broken.text.strip()) == (1, "broken: row 2: its record was altered")


async def test_rows_cut_off_at_the_end_show_by_a_noted_head(terminal: Terminal, service: System) -> None:
    for _ in range(2):
        await service.done("list_services")
    head = (await service.get("/api/audit/verification"))["head"]
    service.database.write_blocking(lambda t: t.execute(sa.delete(audit).where(audit.c.seq == 2)))
    assert (await service.get("/api/audit/verification"))["whole"] is True
    cut = await terminal.run("audit", "verify", "--head", head)
    assert cut.code == 1 and "noted head" in cut.text
