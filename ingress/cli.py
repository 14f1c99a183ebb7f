"""The command line `calmo-pagerduty`."""

import os
import sys
import traceback
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from types import TracebackType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from calmo_pagerduty.kernel.explained_error import ExplainedError
from ingress.commands.output import tell

#: Every command and group: name, `module:attribute`, help text.
COMMANDS = (
    ("up", "ingress.commands.processes:up",
     "Run Temporal, the worker and the ingress on this machine, until Ctrl-C."),
    ("worker", "ingress.commands.processes:worker",
     "Run a Temporal worker. The environment variables TEMPORAL_… configure the connection."),
    ("ingress", "ingress.commands.processes:ingress",
     "Run the webhook receiver, the REST API and the forwarder, or one of them with --role."),
    ("dashboard", "ingress.commands.dashboard:dashboard",
     "Print a link that signs in to the dashboard once, within 15 minutes."),
    ("mcp", "ingress.commands.mcp:mcp",
     "Serve MCP on standard input and output, with the rights of the API key."),
    ("explain", "ingress.commands.deliveries:explain",
     "Explain why an incident is or is not an issue, and what to do. Exits with 1 if something is missing."),
    ("context", "ingress.commands.context:context",
     "Show an incident's context. Exits with 1 if there is none, with 3 if it is not complete yet."),
    ("reconcile", "ingress.commands.reconcile:reconcile",
     "Compare issues with PagerDuty and correct them. Exits with 1 if a difference remains."),
    ("doctor", "ingress.commands.reconcile:doctor",
     "Examine webhooks here and at PagerDuty, and list advice. Exits with 1 if events get lost."),
    ("coverage", "ingress.commands.coverage:coverage",
     "Show where nobody would be paged, why, and what it costs. Exits with 1 if a policy has a gap."),
    ("readiness", "ingress.commands.coverage:readiness",
     "Show who is on call now and next, and who can be paged on what. Exits with 1 if somebody can't be."),
    ("absences", "ingress.commands.absences:app",
     "Import, list and remove calendars that say when people are away."),
    ("what-if", "ingress.commands.what_if:app",
     "Ask what a change of schedules or policies would do, optimise schedules, keep scenarios."),
    ("webhook", "ingress.commands.webhooks:app", "Manage webhooks, to which PagerDuty delivers."),
    ("issues", "ingress.commands.issues:app", "List, show and act on issues, one per incident."),
    ("oncall", "ingress.commands.oncall:app",
     "Run the on-call analyses, and show their runs and snapshots."),
    ("dependencies", "ingress.commands.dependencies:app",
     "Which services depend on which, what is critical, and what fails alone."),
    ("escalation", "ingress.commands.escalation:app",
     "Simulate incidents, lint escalation policies, see answers, hold drills."),
    ("findings", "ingress.commands.findings:app",
     "What the on-call analyses found wrong: list, show, accept, dismiss."),
    ("deliveries", "ingress.commands.deliveries:app",
     "Read, export and replay the delivery log."),
    ("connection", "ingress.commands.connections:app",
     "Manage connections: PagerDuty accounts with their tokens and rules."),
    ("tool", "ingress.commands.tools:app",
     "List and call PagerDuty tools, and decide on calls that wait for approval."),
    ("workload", "ingress.commands.workload:app",
     "Show on-call workload: fairness, pay, working time; ask for cover."),
    ("trends", "ingress.commands.trends:trends_app",
     "Show which services' incidents come more often, and what comes next."),
    ("capacity", "ingress.commands.trends:capacity_app",
     "Show whether the people on call can bear the incidents, and until when."),
    ("performance", "ingress.commands.performance:app",
     "Show how fast teams, services and policies answer and resolve, by tested comparisons."),
    ("patterns", "ingress.commands.patterns:app",
     "Show what repeats: flapping alerts, noise, groups, and what a change would have avoided."),
    ("report", "ingress.commands.reports:app",
     "Make reports: weekly operations, reviews of services and on-call, effectiveness of response."),
    ("audit", "ingress.commands.audit:app",
     "Read and verify the audit chain of tool calls and changes."),
    ("erase", "ingress.commands.erase:app",
     "Erase an issue, a person or a tenant. Without --confirm, only count what would be erased."),
    ("api-key", "ingress.commands.api_keys:app", "Manage API keys of the REST API."),
    ("people", "ingress.commands.people:app",
     "Manage people who sign in to the dashboard through the OpenID provider."),
    ("health", "ingress.commands.health:app", "Check the health of a process."),
    ("encryption", "ingress.commands.encryption:app", "Manage the master keys that encrypt secrets."),
)  # fmt: skip


class LazyCommand(TyperCommand):
    """A command or group whose module is imported only when it is called."""

    def __init__(self, name: str, target: str, text: str) -> None:
        super().__init__(name, help=text)
        self._target = target

    @cached_property
    def loaded(self) -> Any:
        """The imported command or group."""
        module, _, attribute = self._target.partition(":")
        target = getattr(import_module(module), attribute)
        if isinstance(target, typer.Typer):
            group = get_group(target)
            group.name = self.name
            return group
        single = typer.Typer(add_completion=False)
        single.command(self.name)(target)
        return get_command(single)

    @property
    def commands(self) -> Any:
        """The group's commands. Raises AttributeError if this is a single command."""
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
    """Store PagerDuty incidents as durable issues, and call PagerDuty tools under permissions."""


def main() -> None:
    """Run the command line and exit. Errors that the user can fix are a line on stderr."""
    sys.excepthook = _tell_fault
    sys.exit(run(app))


def _tell_fault(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """Write a traceback, which may quote texts from outside, as everything else is written."""
    tell("".join(traceback.format_exception(error)).rstrip())


def run(command: Callable[[], object]) -> int:
    """Return the exit code. An `ExplainedError` becomes a line on stderr instead of a traceback."""
    try:
        command()
    except ExplainedError as error:
        tell(f"calmo-pagerduty: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output closed the pipe (| head).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0
