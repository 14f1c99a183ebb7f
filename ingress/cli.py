"""The command line: `calmo-pagerduty`."""

import os
import sys
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from calmo_pagerduty.kernel.explained_error import ExplainedError

#: Every command and group: what holds it, and what `--help` says of it.
COMMANDS = (
    ("up", "ingress.commands.processes:up",
     "Run Temporal, the worker and the ingress on this machine, until Ctrl-C."),
    ("worker", "ingress.commands.processes:worker",
     "Run a Temporal worker. Temporal's address comes from TEMPORAL_ADDRESS and its like."),
    ("ingress", "ingress.commands.processes:ingress",
     "Run the webhook door, the REST API and the forwarder."),
    ("mcp", "ingress.commands.mcp:mcp",
     "Serve MCP on standard input and output, with the rights of the API key."),
    ("explain", "ingress.commands.deliveries:explain",
     "Say why an incident is an issue, or why not and what to do. Ends with 1 if something is missing."),
    ("context", "ingress.commands.context:context",
     "Show an incident's context. Ends with 1 if there is none, with 3 if it isn't complete yet."),
    ("reconcile", "ingress.commands.reconcile:reconcile",
     "Compare with PagerDuty and heal what differs. Ends with 1 if not everything is right then."),
    ("doctor", "ingress.commands.reconcile:doctor",
     "Examine webhooks at PagerDuty and here, and say what to do. Ends with 1 if events get lost."),
    ("webhook", "ingress.commands.webhooks:app", "The addresses that PagerDuty delivers to."),
    ("issues", "ingress.commands.issues:app", "Issues: one for each PagerDuty incident."),
    ("deliveries", "ingress.commands.deliveries:app",
     "The delivery log: what came in and what became of it."),
    ("connection", "ingress.commands.connections:app",
     "PagerDuty accounts: their tokens and what they allow."),
    ("tool", "ingress.commands.tools:app",
     "PagerDuty tools: list them, call them, approve what waits."),
    ("audit", "ingress.commands.audit:app",
     "Who called which tool, what was decided, what came of it."),
    ("api-key", "ingress.commands.api_keys:app", "Keys for the REST API."),
    ("health", "ingress.commands.health:app", "Is a part well? For health checks."),
    ("encryption", "ingress.commands.encryption:app", "The master keys that secrets are sealed with."),
)  # fmt: skip


class LazyCommand(TyperCommand):
    """A command or group that is listed by name and help, and imported when it is called."""

    def __init__(self, name: str, place: str, text: str) -> None:
        super().__init__(name, help=text)
        self._place = place

    @cached_property
    def loaded(self) -> Any:
        """The command itself."""
        module, _, attribute = self._place.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            group = get_group(found)
            group.name = self.name
            return group
        alone = typer.Typer(add_completion=False)
        alone.command(self.name)(found)
        return get_command(alone)

    @property
    def commands(self) -> Any:
        """A group's commands. Raises AttributeError if it is none."""
        return self.loaded.commands

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        return self.loaded.make_context(*arguments, **options)


class _AllCommands(TyperGroup):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"commands": [LazyCommand(*row) for row in COMMANDS]})


app = typer.Typer(
    name="calmo-pagerduty",
    cls=_AllCommands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def calmo_pagerduty() -> None:
    """PagerDuty incidents as durable issues, and PagerDuty tools under permission."""


def main() -> None:
    """Run the command line; what is wrong is said in one line on stderr."""
    sys.exit(run(app))


def run(command: Callable[[], object]) -> int:
    """Return the exit code. What a person can mend is one clear line, not a traceback."""
    try:
        command()
    except ExplainedError as error:
        sys.stderr.write(f"calmo-pagerduty: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough (| head).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0
