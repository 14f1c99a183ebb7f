"""Webhooks on the command line: made, set up, tried out, ended; secrets by standard input only."""

from collections.abc import AsyncIterator

import pytest

from calmo_pagerduty.pagerduty.event_types import EventType
from tests.support.builders import an_event, body_of, headers_for, new_id
from tests.support.parts import Parts
from tests.support.terminal import Terminal
from tests.support.webhook_service import ACME, WebhookService, running_webhook_service

SECRET = "a-signing-secret-that-pagerduty-showed-once"


@pytest.fixture
async def service(parts: Parts) -> AsyncIterator[WebhookService]:
    async with running_webhook_service(parts) as found:
        yield found


@pytest.fixture
def terminal(service: WebhookService) -> Terminal:
    return Terminal(service.url, service.tools)


async def deliver(service: WebhookService, url: str, secret: str) -> int:
    path = url[url.index("/webhooks/") :]
    body = body_of(an_event(EventType.PING, new_id()))
    answer = await service.http.post(path, content=body, headers=headers_for(body, secret.encode()))
    return answer.status_code


async def test_a_webhook_lives_its_life_on_the_command_line(
    terminal: Terminal, service: WebhookService
) -> None:
    created = await terminal.run(
        "webhook", "create", "--scope", ACME, "--events", "essential", "--service", "PSHOP", "--json"
    )
    assert created.code == 0, created.error
    assert "CALMO_API_KEY is not used" in created.error
    made = created.json
    assert made["url"].endswith(made["id"]) and not made["has_secret"] and made["steps"]
    short = f"wh_{made['id'][-6:]}"

    waiting = await terminal.run("webhook", "show", short)
    assert "waiting_for_secret" in waiting.text and "PSHOP" in waiting.text
    unready = await terminal.run("webhook", "wizard", short)
    assert unready.code == 1 and "no_secret" in unready.text
    given = await terminal.run("webhook", "set-secret", short, said=f" {SECRET} \n")
    assert given.code == 0 and "unproven" in given.text
    assert await deliver(service, made["url"], SECRET) == 202
    ready = await terminal.run("webhook", "wizard", short, "--wait", "5")
    assert ready.code == 0 and "proven" in ready.text
    paused = await terminal.run("webhook", "pause", short)
    assert "paused" in paused.text
    listed = await terminal.run("webhook", "list")
    assert short in listed.text and "essential" in listed.text and "paused" in listed.text
    resumed = await terminal.run("webhook", "resume", short, "--json")
    assert resumed.json["state"] == "armed"
    tested = await terminal.run("webhook", "test", short)
    assert tested.code == 0, tested.text
    assert [line.split()[1] for line in tested.text.splitlines()][:3] == ["address", "tls", "delivery"]
    deleted = await terminal.run("webhook", "delete", short)
    assert "deleted" in deleted.text
    again = await terminal.run("webhook", "pause", short)
    assert again.code == 1 and "deleted" in again.error
    for said in (waiting, unready, given, ready, paused, listed, resumed, tested, deleted, again):
        assert SECRET not in said.text + said.error
        assert made["id"] not in said.text + said.error


async def test_pagerdutys_subscription_is_made_and_rotated_by_command(
    terminal: Terminal, service: WebhookService
) -> None:
    created = await terminal.run(
        "webhook", "create", "--scope", ACME, "--subscribe", service.tools.connection_id, "--json"
    )
    assert created.code == 0, created.error
    [old] = service.subscriptions
    rotated = await terminal.run("webhook", "rotate", created.json["id"], "--json")
    assert rotated.code == 0 and rotated.json["subscription_ids"] != [old.id]
    tested = await terminal.run("webhook", "test", created.json["id"], "--json")
    assert tested.json["ok"] and tested.json["steps"][-1]["name"] == "ping"


@pytest.mark.parametrize(
    ("arguments", "said", "word"),
    [
        (("create", "--scope", ACME, "--secret-stdin"), "u+AbCdEfGhIjKlMnOpQr", "PagerDuty API key"),
        (("create", "--scope", ACME, "--secret-stdin"), "", "standard input"),
        (("create", "--scope", ACME, "--service", "P1", "--team", "P2"), "", "not both"),
        (("create", "--scope", "nobody"), "", "scope"),
        (("show", "wh_aaaaaa"), "", "no such webhook"),
        (("set-secret", "wh_aaaaaa"), "", "standard input"),
        (("test", "wh_aaaaaa"), "", "no such webhook"),
    ],
)
async def test_what_makes_no_sense_is_said_in_one_line(
    terminal: Terminal, arguments: tuple[str, ...], said: str, word: str
) -> None:
    failed = await terminal.run("webhook", *arguments, said=said)
    assert failed.code == 1
    assert len(failed.error.splitlines()) == 1 and word in failed.error
    assert "AbCdEf" not in failed.error
