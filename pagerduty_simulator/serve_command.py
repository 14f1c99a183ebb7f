"""`python -m pagerduty_simulator serve`: the REST API of a furnished account, until it is ended."""

import asyncio
import os
import random
import sys
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from pagerduty_simulator.clocks import ScaledClock
from pagerduty_simulator.demo_scenario import DEMO
from pagerduty_simulator.furnished_shop import furnished_shop
from pagerduty_simulator.history import generate_history
from pagerduty_simulator.rest_api import AccountSite, running_rest_api
from pagerduty_simulator.scenarios import play

TOKEN_VARIABLE: Final = "PAGERDUTY_SIMULATOR_TOKEN"  # noqa: S105
SECRET_VARIABLE: Final = "PAGERDUTY_SIMULATOR_SECRET"  # noqa: S105


async def run_server(
    site: AccountSite, host: str, port: int, *, plays: bool, webhook: tuple[str, str] | None = None
) -> None:
    """Serve until cancelled; `plays` tells the demo story on the account, once.

    `webhook` is an address and its signing secret, subscribed to everything that happens.
    """
    if webhook is not None:
        site.sender.subscribe(*webhook)
    async with running_rest_api(site, port, host) as url:
        typer.echo(f"serving PagerDuty's REST API on {url}", err=True)
        if plays:
            await play(DEMO, site.account, site.publish, site.clock)
        await asyncio.Event().wait()


def _read(what: str, variable: str, from_stdin: bool) -> str:
    # Never an argument: every user of the machine can read those.
    text = sys.stdin.readline().strip() if from_stdin else os.environ.get(variable, "")
    if not text:
        raise typer.BadParameter(f"give the {what} by --{what}-stdin or in {variable}")
    return text


def serve(
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 8_090,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the API token from the first line of stdin.")
    ] = False,
    speed: Annotated[
        float, typer.Option(min=0.001, help="How many times as fast limits and retries are.")
    ] = 1.0,
    incidents: Annotated[int, typer.Option(min=0, help="Past incidents to begin with.")] = 200,
    days: Annotated[float, typer.Option(min=0.1, help="How far back they go.")] = 30.0,
    demo: Annotated[bool, typer.Option("--demo", help="Play the demo on the account meanwhile.")] = False,
    webhook_url: Annotated[str, typer.Option(help="A webhook to tell of everything that happens.")] = "",
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read its secret from the next line of stdin.")
    ] = False,
    region: Annotated[str, typer.Option(help="us or eu.")] = "us",
    seed: Annotated[int | None, typer.Option(help="Makes all ids reproducible; new ones without it.")] = None,
) -> None:
    """Serve the REST API of an online shop's account. The token is the account's, with all rights."""
    token = _read("token", TOKEN_VARIABLE, token_stdin)
    webhook = (webhook_url, _read("secret", SECRET_VARIABLE, secret_stdin)) if webhook_url else None
    chosen_seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    account = furnished_shop(now=lambda: datetime.now(UTC), seed=chosen_seed)
    # The story is told to a calm shop: an incident left open by its past would join it unannounced,
    # whenever the account is next compared with what its webhooks told.
    generate_history(account, incidents=incidents, days=days, seed=chosen_seed, all_resolved=demo)
    site = AccountSite(account, clock=ScaledClock(speed), region=region)
    site.add_token(token)
    asyncio.run(run_server(site, host, port, plays=demo, webhook=webhook))
