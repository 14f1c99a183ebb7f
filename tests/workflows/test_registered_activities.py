"""A workflow that asks for an activity which no worker has waits for ever."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import activities
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from tests.support.doors import open_doorway


def defined() -> set[str]:
    """Return the names of all activities of the package."""
    modules = [
        importlib.import_module(f"activities.{found.name}")
        for found in pkgutil.iter_modules(activities.__path__)
    ]
    classes = {kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)}
    return {name for kind in classes for method in vars(kind).values() if (name := _name(method))}


def _name(function: object) -> str:
    definition = getattr(function, "__temporal_activity_definition", None)
    return "" if definition is None else str(definition.name)


async def test_each_activity_is_registered_on_a_worker(
    database: Database, keyring: Keyring, tmp_path: Path
) -> None:
    async with open_doorway(database, keyring, tmp_path) as doorway:
        services = doorway.ingress.services
        functions = (*services.local_activities, *services.pagerduty_activities)
        assert defined() == {_name(function) for function in functions}
