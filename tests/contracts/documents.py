"""What others hold on to, one JSON document a subject, without what may change: descriptions and examples."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
import typer
from mcp import Client
from pydantic import TypeAdapter
from temporalio import activity, workflow
from temporalio.common import SearchAttributeKey
from typer.utils import get_params_from_function

import activities
import workflows
from calmo_pagerduty.access.permissions import ALL_PERMISSIONS
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.model import Tool
from ingress.api.endpoints import Endpoint
from ingress.app import served_endpoints
from ingress.cli import app
from ingress.mcp.presentation import build_server
from ingress.mcp.report_shapes import ReportShape
from ingress.mcp.report_tools import REPORT_SHAPES
from pagerduty_simulator import cli as simulator
from tests.support.doors import Doorway
from workflows import names

Json = dict[str, Any]
Contracts = Mapping[str, Json]
#: Words for people, which may become clearer. `title` is made from a name by pydantic.
_WORDS = {"description", "summary", "title", "example", "examples"}


async def documents_of_today(doorway: Doorway) -> Contracts:
    """Return the contracts by their files' names, as JSON values."""
    return {
        "openapi": await _openapi(doorway),
        "permissions": _permissions(doorway),
        "mcp_tools": await _mcp_tools(),
        "command_line": _commands(typer.main.get_command(app)),
        "simulator_command_line": _commands(typer.main.get_command(simulator.app)),
        "environment": _environment(),
        "temporal": _temporal(),
        "tables": _tables(doorway.database),
        "metrics": _metrics(doorway),
    }


def without_words(value: Any, names_follow: bool = False) -> Any:
    """Leave out what stands there for people; a property may be called `title` nevertheless."""
    if isinstance(value, dict):
        return {
            name: without_words(inner, name == "properties" and not names_follow)
            for name, inner in value.items()
            if names_follow or name not in _WORDS
        }
    if isinstance(value, list):
        return [without_words(inner) for inner in value]
    return value


async def _openapi(doorway: Doorway) -> Json:
    document = (await doorway.client.get("/openapi.json")).json()
    return {name: without_words(document[name]) for name in ("openapi", "paths", "components")}


def _permissions(doorway: Doorway) -> Json:
    """Which permission each endpoint asks for: a key of before can still do what it could."""
    rows = served_endpoints(doorway.ingress)
    guarded = {f"{row.method} {row.path}": row.permission for row in rows if isinstance(row, Endpoint)}
    return {"all": list(ALL_PERMISSIONS), "endpoints": guarded}


class _AllTools:
    """A key that may use everything, as far as the list of tools goes."""

    async def tools(self) -> Sequence[Tool]:
        return list(TOOLS.values())

    async def actions(self) -> Sequence[Action]:
        return list(Action)

    async def may_read_contexts(self) -> bool:
        return True

    async def report_tools(self) -> Sequence[ReportShape]:
        return list(REPORT_SHAPES.values())


async def _mcp_tools() -> Json:
    async def backend_of(_context: object) -> Any:
        return _AllTools()

    async with Client(build_server(backend_of)) as client:
        tools = (await client.list_tools()).tools
    found = {}
    for tool in tools:
        dumped = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
        found[dumped.pop("name")] = without_words(dumped)
    return found


def _commands(command: Any, path: str = "") -> Json:
    """Return each command by its words, with its parameters. `command` is Typer's form of click's."""
    # A command of ours is imported when it is called.
    command = getattr(command, "loaded", command)
    found = {path.strip(): _parameters(command)} if path else {}
    for name, inner in getattr(command, "commands", {}).items():
        found |= _commands(inner, f"{path} {name}")
    return found or {"": _parameters(command)}


def _parameters(command: Any) -> Json:
    found = {}
    declared = get_params_from_function(inspect.unwrap(command.callback)) if command.callback else {}
    for row in command.params:
        is_option = row.param_type_name == "option"
        info: Any = declared[row.name].default
        schema = without_words(TypeAdapter(declared[row.name].annotation).json_schema())
        bounds = {"minimum": info.min, "maximum": info.max, "default": row.default}
        found[row.name] = {
            "options": sorted([*row.opts, *row.secondary_opts]) if is_option else [],
            "required": row.required,
            "schema": schema | {name: _plain(bound) for name, bound in bounds.items() if bound is not None},
            "is_flag": is_option and row.is_flag,
            "is_repeated": row.nargs != 1 or (is_option and row.multiple),
        }
    return found


def _plain(value: Any) -> Any:
    return TypeAdapter(type(value)).dump_python(value, mode="json")


def _environment() -> Json:
    """The settings as a JSON schema, each by its variable's name."""
    schema = without_words(Settings.model_json_schema())
    prefix = Settings.model_config["env_prefix"]
    return {f"{prefix}{name}".upper(): row for name, row in schema["properties"].items()}


def _temporal() -> Json:
    """The names that stand in histories and in other programs, from the definitions themselves."""
    return {
        "workflows": dict(_workflows()),
        "activities": sorted(_activities()),
        "search_attributes": {key.name: key.indexed_value_type.name for key in _search_attributes()},
        "ids": {
            "calls queue": names.pagerduty_queue("QUEUE"),
            "reconcile": names.reconcile_workflow_id("CONNECTION"),
            "doctor": names.doctor_workflow_id("CONNECTION"),
            "account": names.account_memory_workflow_id("CONNECTION"),
        },
    }


def _search_attributes() -> list[SearchAttributeKey[Any]]:
    keys: tuple[SearchAttributeKey[Any], ...] = names.SEARCH_ATTRIBUTES
    return sorted(keys, key=str)


def _members(package: Any) -> Iterator[Any]:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield from vars(importlib.import_module(module.name)).values()


def _workflows() -> Iterator[tuple[str, Json]]:
    found = {}
    for value in _members(workflows):
        defined = workflow._Definition.from_class(value) if inspect.isclass(value) else None
        if defined is not None:
            found[str(defined.name)] = {
                "signals": sorted(str(name or "*") for name in defined.signals),
                "queries": sorted(str(name or "*") for name in defined.queries),
                "updates": sorted(str(name or "*") for name in defined.updates),
            }
    yield from sorted(found.items())


def _activities() -> set[str]:
    classes = {value for value in _members(activities) if inspect.isclass(value)}
    functions = {function for cls in classes for function in vars(cls).values() if callable(function)}
    functions |= {value for value in _members(activities) if inspect.isfunction(value)}
    defined = map(activity._Definition.from_callable, functions)
    return {str(definition.name) for definition in defined if definition is not None}


def _tables(database: Database) -> Json:
    """The columns as the migrations make them."""

    def read(connection: sa.Connection) -> Json:
        inspected = sa.inspect(connection)
        return {
            table: {
                column["name"]: {"type": str(column["type"]), "is_nullable": column["nullable"]}
                for column in inspected.get_columns(table)
            }
            for table in sorted(inspected.get_table_names())
        }

    return database.read_blocking(read)


def _metrics(doorway: Doorway) -> Json:
    registry = doorway.ingress.metrics.registry
    collectors: dict[Any, list[str]] = registry._collector_to_names
    return {
        name: {"type": collector._type, "labels": list(collector._labelnames)}
        for collector, names_of_it in collectors.items()
        for name in names_of_it
    }
