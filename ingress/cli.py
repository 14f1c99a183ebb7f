"""The command line: `calmo-pagerduty`."""

import os
import sys
from collections.abc import Callable

import typer

from calmo_pagerduty.api_client import ApiProblem
from calmo_pagerduty.domain.event_sets import BadFilter
from calmo_pagerduty.domain.signing_secrets import BadSecret
from calmo_pagerduty.kernel.scopes import InvalidScope
from calmo_pagerduty.processes import PortTaken
from calmo_pagerduty.settings import InvalidSettings
from calmo_pagerduty.store.database import StoreUnavailable
from calmo_pagerduty.store.encryption import KeyProblem
from calmo_pagerduty.temporal_client import MissingSearchAttributes
from calmo_pagerduty.temporal_dev_server import ServerDidNotStart
from ingress.commands import (
    api_keys,
    audit,
    connections,
    context,
    deliveries,
    encryption,
    healing,
    health,
    issues,
    mcp,
    parts,
    preparation,
    tools,
    up,
    webhooks,
)
from ingress.commands.instances import NoInstance

app = typer.Typer(
    name="calmo-pagerduty",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="PagerDuty incidents as durable issues, and PagerDuty tools under permission.",
)
app.command("up")(up.up)
app.command("worker")(parts.worker)
app.command("ingress")(parts.ingress)
app.command("mcp")(mcp.mcp)
app.command("explain")(deliveries.explain)
app.command("context")(context.context)
app.add_typer(webhooks.app, name="webhook")
webhooks.app.command("deliveries")(deliveries.of_webhook)
webhooks.app.command("doctor")(healing.doctor)
app.add_typer(issues.app, name="issues")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(connections.app, name="connection")
app.add_typer(tools.app, name="tool")
app.add_typer(audit.app, name="audit")
app.add_typer(api_keys.app, name="api-key")
app.add_typer(health.app, name="health")
app.command("reconcile")(healing.reconcile)
app.command("doctor")(healing.doctor)
app.add_typer(encryption.app, name="encryption")

#: What goes wrong in ways that a person can mend: one clear line, not a traceback.
EXPLAINED: tuple[type[Exception], ...] = (
    ApiProblem, InvalidScope, InvalidSettings, KeyProblem, MissingSearchAttributes, NoInstance,
    PortTaken, ServerDidNotStart, StoreUnavailable, api_keys.UnknownPermission, health.NotWell,
    preparation.CannotStart, BadFilter, BadSecret, webhooks.NoSecret, connections.NoToken, tools.BadArgument,
)  # fmt: skip


def main() -> None:
    """Run the command line; what is wrong is said in one line on stderr."""
    sys.exit(run(app))


def run(command: Callable[[], object]) -> int:
    try:
        command()
    except EXPLAINED as error:
        sys.stderr.write(f"calmo-pagerduty: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough (| head).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0
