"""Names of before, for tests that are on their way. New tests take tests/support/system.py."""

from tests.support.connected import TOKEN, WRITES_ON, add_connection
from tests.support.system import Json, System as ToolService, running_system as running_service, start_workers
from tests.support.tool_callers import agent, served, until_state

__all__ = [
    "TOKEN",
    "WRITES_ON",
    "Json",
    "ToolService",
    "add_connection",
    "agent",
    "running_service",
    "served",
    "start_workers",
    "until_state",
]
