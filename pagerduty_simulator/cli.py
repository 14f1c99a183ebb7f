"""`python -m pagerduty_simulator`: plays a scenario to one webhook."""

import asyncio
import os
import random
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Final

import typer

from pagerduty_simulator.clocks import ScaledClock
from pagerduty_simulator.delivery_contract import Attempt, AttemptOutcome
from pagerduty_simulator.demo_scenario import DEMO
from pagerduty_simulator.events import Event
from pagerduty_simulator.every_event_scenario import EVERY_EVENT
from pagerduty_simulator.scenarios import Scenario, play
from pagerduty_simulator.serve_command import FROM_STDIN, serve
from pagerduty_simulator.shop import online_shop
from pagerduty_simulator.webhook_sender import WebhookSender

ENVIRONMENT_VARIABLE: Final = "PAGERDUTY_SIMULATOR_SECRET"
SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {scenario.name: scenario for scenario in (DEMO, EVERY_EVENT)}
)
# Real seconds to wait for the last deliveries after the scenario.
_DRAIN_TIMEOUT: Final = 30.0

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def describe(event: Event, attempt: Attempt) -> str:
    """Return one line about a delivery: time, event type, outcome, response, latency, incident."""
    data = event.payload()["event"]["data"]
    priority = (data.get("priority") or {}).get("summary", "")
    title = data.get("title") or (data.get("incident") or {}).get("summary") or ""
    answer = attempt.status if attempt.status is not None else attempt.error or "not sent"
    return (
        f"{event.occurred_at:%H:%M:%S}  {event.event_type:<32} {attempt.verdict:<9} {answer}"
        f"  {attempt.latency.total_seconds() * 1000:.0f} ms"
        f"  {event.incident_id or '-':<14} {priority:<2} {title}"
    ).rstrip()


def _print_attempt(event: Event, attempt: Attempt) -> None:
    typer.echo(describe(event, attempt), err=True)


async def run(url: str, secret: str, scenario: Scenario, *, speed: float, seed: int, repeat: bool) -> int:
    """Play the scenario, endlessly with `repeat`; return the number of undelivered events.

    `speed` scales the scenario and the retries, but not occurred_at, which is the real time: a receiver's
    users must not see incidents from the future.
    """
    clock = ScaledClock(speed)
    account = online_shop(now=lambda: datetime.now(UTC), seed=seed)
    sender = WebhookSender(clock=clock, seed=seed, on_attempt=_print_attempt)
    subscription = sender.subscribe(url, secret)
    try:
        await play(scenario, account, sender.publish, clock)
        while repeat:
            await play(scenario, account, sender.publish, clock)
        await _drain(sender)
    finally:
        await sender.aclose()
    if subscription.times_disabled:
        typer.echo("three drops in a row: the subscription was disabled", err=True)
    lost = {
        AttemptOutcome.REFUSED,
        AttemptOutcome.EXPIRED,
        AttemptOutcome.TOO_LARGE,
        AttemptOutcome.DISCARDED,
    }
    return sender.pending + sum(attempt.verdict in lost for attempt in sender.attempts)


async def _drain(sender: WebhookSender) -> None:
    try:
        await sender.drained(_DRAIN_TIMEOUT)
    except TimeoutError:
        typer.echo(f"gave up on {sender.pending} undelivered events", err=True)


def _secret(from_stdin: bool) -> str:
    # Never take a secret as an argument: every user of the machine can read arguments.
    secret = sys.stdin.readline().strip() if from_stdin else os.environ.get(ENVIRONMENT_VARIABLE, "")
    if not secret:
        raise typer.BadParameter(f"give the secret by --secret-stdin or in {ENVIRONMENT_VARIABLE}")
    return secret


@app.callback(invoke_without_command=True)
def simulate(
    context: typer.Context,
    *,
    url: Annotated[
        str, typer.Option(help="The webhook's address; - reads it from stdin.", show_default=False)
    ] = "",
    scenario: Annotated[str, typer.Option(help=f"One of: {', '.join(SCENARIOS)}.")] = DEMO.name,
    speed: Annotated[float, typer.Option(min=0.001, help="The factor that speeds up the scenario.")] = 1.0,
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read the secret from the first line of stdin.")
    ] = False,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="Start again at the end, with new incidents.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Makes all ids reproducible; random by default.")] = None,
) -> None:
    """Play a scenario to one webhook, with PagerDuty's real delivery contract.

    The exit code is 0 if all events were delivered, else 1. The command `serve` serves the REST API
    instead.
    """
    if context.invoked_subcommand is not None:
        return
    if scenario not in SCENARIOS:
        raise typer.BadParameter(f"no scenario {scenario!r}; the scenarios are: {', '.join(SCENARIOS)}")
    if url == FROM_STDIN:
        url = sys.stdin.readline().strip()
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter("--url begins with http:// or https://")
    secret = _secret(secret_stdin)
    # By default, two runs against one receiver must not have the same event ids.
    chosen_seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    chosen = SCENARIOS[scenario]
    undelivered = asyncio.run(run(url, secret, chosen, speed=speed, seed=chosen_seed, repeat=repeat))
    raise typer.Exit(1 if undelivered else 0)


app.command()(serve)


def main() -> None:
    """Run the command line."""
    app(prog_name="python -m pagerduty_simulator")
