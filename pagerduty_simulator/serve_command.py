"""`python -m pagerduty_simulator serve`: serve the REST API of an account until the process ends."""

import asyncio
import os
import random
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from pagerduty_simulator.account import Account
from pagerduty_simulator.big_account import big_account
from pagerduty_simulator.clocks import ScaledClock
from pagerduty_simulator.demo_past import furnish_for_the_demo
from pagerduty_simulator.demo_scenario import DEMO
from pagerduty_simulator.events import Event
from pagerduty_simulator.furnished_shop import furnished_shop
from pagerduty_simulator.history import generate_history
from pagerduty_simulator.packs.catalogue import PACKS
from pagerduty_simulator.packs.on_call import ON_CALL_PACKS, OnCallTruth
from pagerduty_simulator.packs.truth import GroundTruth
from pagerduty_simulator.rest_api import AccountSite, running_rest_api
from pagerduty_simulator.scenarios import play

TOKEN_VARIABLE: Final = "PAGERDUTY_SIMULATOR_TOKEN"  # noqa: S105 - a variable's name
SECRET_VARIABLE: Final = "PAGERDUTY_SIMULATOR_SECRET"  # noqa: S105 - a variable's name
BIG: Final = "big"
#: A webhook's address is as good as a key to it, and every user of the machine can read arguments.
FROM_STDIN: Final = "-"
_PACK_NAMES: Final = (*PACKS, *ON_CALL_PACKS, BIG)
#: Real seconds between runs of the scheduled steps.
_TICK_SECONDS: Final = 0.5
_DAYS: Final = 30.0
_DAYS_OF_THE_DEMO: Final = 120.0


async def run_server(
    site: AccountSite,
    host: str,
    port: int,
    *,
    plays: bool,
    webhook: tuple[str, str] | None = None,
    initial_events: tuple[Event, ...] = (),
) -> None:
    """Serve until cancelled; with `plays`, play the demo scenario once.

    `webhook` is an address and its signing secret; it gets all events, first the `initial_events` of a
    pack.
    """
    if webhook is not None:
        site.sender.subscribe(*webhook)
    async with running_rest_api(site, port, host) as url:
        typer.echo(f"serving PagerDuty's REST API on {url}", err=True)
        site.publish(initial_events)
        if plays:
            await play(DEMO, site.account, site.publish, site.clock)
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            site.tick()


def _read(what: str, variable: str, from_stdin: bool) -> str:
    # Never take a secret as an argument: every user of the machine can read arguments.
    text = sys.stdin.readline().strip() if from_stdin else os.environ.get(variable, "")
    if not text:
        raise typer.BadParameter(f"give the {what} by --{what}-stdin or in {variable}")
    return text


def _now() -> datetime:
    return datetime.now(UTC)


def _world(pack: str, seed: int) -> tuple[Account, tuple[Event, ...]]:
    """Make a pack's account and print its ground truth. Raises BadParameter for an unknown pack."""
    if pack == BIG:
        return big_account(now=_now, seed=seed), ()
    initial_events: tuple[Event, ...] = ()
    truth: OnCallTruth | GroundTruth
    if pack in ON_CALL_PACKS:
        account, truth = ON_CALL_PACKS[pack](now=_now, seed=seed)
    elif pack in PACKS:
        account, truth, initial_events = PACKS[pack](now=_now, seed=seed)
    else:
        raise typer.BadParameter(f"no pack {pack!r}; there are: {', '.join(_PACK_NAMES)}")
    for name, value in asdict(truth).items():
        typer.echo(f"{name}: {value}", err=True)
    return account, initial_events


def _shop(seed: int, incidents: int, days: float | None, *, demo: bool) -> Account:
    account = furnished_shop(now=_now, seed=seed)
    if demo:
        furnish_for_the_demo(account, incidents=incidents, days=days or _DAYS_OF_THE_DEMO, seed=seed)
    else:
        generate_history(account, incidents=incidents, days=days or _DAYS, seed=seed)
    return account


def serve(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The port to listen on; 0 takes a free port.")
    ] = 8_090,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the API token from the first line of stdin.")
    ] = False,
    speed: Annotated[
        float, typer.Option(min=0.001, help="The factor that speeds up rate limits and retries.")
    ] = 1.0,
    incidents: Annotated[int, typer.Option(min=0, help="Past incidents to begin with.")] = 200,
    days: Annotated[
        float | None,
        typer.Option(
            min=0.1, help=f"How many days back they go: {_DAYS:g}, or {_DAYS_OF_THE_DEMO:g} with --demo."
        ),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Play the demo scenario on the account.")] = False,
    pack: Annotated[
        str,
        typer.Option(help=f"Serve this pack's account instead of the shop's: {', '.join(_PACK_NAMES)}."),
    ] = "",
    latency_ms: Annotated[
        int, typer.Option(min=0, help="The least time of each response, in real time.")
    ] = 0,
    webhook_url: Annotated[
        str,
        typer.Option(help="A webhook that gets all events; - reads it from the next line of stdin."),
    ] = "",
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read the webhook's secret from the next line of stdin.")
    ] = False,
    region: Annotated[str, typer.Option(help="us or eu.")] = "us",
    seed: Annotated[int | None, typer.Option(help="Makes all ids reproducible; random by default.")] = None,
) -> None:
    """Serve the REST API of an online shop's account. The token is an account token with all rights."""
    if demo and pack:
        raise typer.BadParameter("--demo is played on the shop, not on a pack")
    token = _read("token", TOKEN_VARIABLE, token_stdin)
    if webhook_url == FROM_STDIN:
        webhook_url = sys.stdin.readline().strip()
    webhook = (webhook_url, _read("secret", SECRET_VARIABLE, secret_stdin)) if webhook_url else None
    chosen_seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    initial_events: tuple[Event, ...] = ()
    if pack:
        account, initial_events = _world(pack, chosen_seed)
    else:
        account = _shop(chosen_seed, incidents, days, demo=demo)
    latency = timedelta(milliseconds=latency_ms)
    site = AccountSite(account, clock=ScaledClock(speed), region=region, latency=latency)
    site.add_token(token)
    asyncio.run(run_server(site, host, port, plays=demo, webhook=webhook, initial_events=initial_events))
