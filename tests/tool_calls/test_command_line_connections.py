"""Connections and the audit on the command line."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from calmo_pagerduty.db.tables import audit
from ingress.app import build_app
from pagerduty_simulator.rest.faults import Faults
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
    assert removed.code == 0 and len(removed.text.splitlines()) == 1
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


async def test_a_token_that_pagerduty_rejects_replaces_no_other_unless_untested(
    terminal: Terminal, service: System
) -> None:
    rotate = ("connection", "rotate", service.connection_id)
    refused = await terminal.run(*rotate, said=OTHER_TOKEN)
    assert refused.code == 1 and "rejects the token" in refused.error and "--untested" in refused.error
    assert OTHER_TOKEN not in refused.error
    await service.done("list_services")
    added = await terminal.run(*ADD, "--token-stdin", said=OTHER_TOKEN)
    assert added.code == 1 and len((await service.get("/api/connections"))["connections"]) == 1
    kept = await terminal.run(*rotate, "--untested", said=OTHER_TOKEN)
    assert kept.code == 0, kept.error
    assert (await service.call("list_services")).status_code != 200


async def test_a_token_is_not_kept_while_pagerduty_is_silent(terminal: Terminal, service: System) -> None:
    service.site.faults.fail_next(500, times=20)
    refused = await terminal.run("connection", "rotate", service.connection_id, said=TOKEN)
    assert refused.code == 1 and "can't be tested" in refused.error
    service.site.faults = Faults()
    assert (await service.get(f"/api/connections/{service.connection_id}"))["token_version"] == 1


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
    team = next(iter(service.account.teams.values()))
    last = await terminal.run(*permit, "--team", team.id, "--allow", "tool:resolve_incident")
    rules = last.json["rules"]
    assert rules["switches"] == {"category:services": "allow", "risk:high": "deny"}
    assert rules["teams"] == {team.id: {"tool:resolve_incident": "allow"}}
    assert (sorted(rules["approve"]), rules["writes_per_hour"]) == (["high", "medium"], 5)
    assert (await terminal.run(*permit, "--approve", "none")).json["rules"]["approve"] == []


async def test_a_switch_about_nothing_is_said_in_one_line(terminal: Terminal, service: System) -> None:
    failed = await terminal.run("connection", "permit", service.connection_id, "--allow", "riks:high")
    assert failed.code == 1
    assert len(failed.error.splitlines()) == 1 and "risk:LEVEL" in failed.error


async def test_a_switch_for_what_does_not_exist_is_refused_with_the_nearest_name(
    terminal: Terminal, service: System
) -> None:
    """A denial of a misspelt tool, or for a team that nobody is in, would forbid nothing."""
    permit = ("connection", "permit", service.connection_id)
    enabled = await terminal.run(*permit, "--allow", "tool:enable_webhook", "--json")
    assert enabled.json["rules"]["switches"]["tool:enable_webhook"] == "allow"
    before = enabled.json["rules"]
    denied = "tool:get_schedule"
    shown = await terminal.run(*permit, "--deny", denied)
    assert shown.text.split() == [f"rules.switches.{denied}", "-", "→", "deny"], "what changed, and no more"
    assert (await terminal.run(*permit, "--deny", denied)).text.startswith("nothing changed")
    await terminal.run(*permit, "--clear", denied)
    for switch in ("--allow", "--deny"):
        failed = await terminal.run(*permit, switch, "tool:creat_incident")
        assert failed.code == 1 and "did you mean create_incident?" in failed.error
    team = next(iter(service.account.teams.values()))
    failed = await terminal.run(*permit, "--team", team.name.lower(), "--deny", "risk:high")
    assert failed.code == 1 and f"did you mean {team.id} ({team.name})?" in failed.error
    failed = await terminal.run(*permit, "--clear", "risk:hihg")
    assert failed.code == 1 and "did you mean risk:high?" in failed.error
    assert (await service.get(f"/api/connections/{service.connection_id}"))["rules"] == before


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
