"""What each application and each database makes at its start, and is the same for all those of a run.

Tests start hundreds of both. To compile the same routes and the same SQL again took a tenth of a run's CPU.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from starlette import routing

from calmo_pagerduty.db import database


@contextmanager
def making_once() -> Iterator[None]:
    """Make them once while this lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing, "compile_path", functools.cache(routing.compile_path))
        # SQLAlchemy keeps what it compiled by dialect, and each engine has a dialect of its own.
        for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):
            patch.setattr(dialect, "__eq__", lambda self, other: type(self) is type(other))
            patch.setattr(dialect, "__hash__", lambda self: hash(type(self)))
        compiled: dict[Any, Any] = {}
        make_engine = database._engine

        def engine(*address: Any, **options: Any) -> sa.Engine:
            return make_engine(*address, **options).execution_options(compiled_cache=compiled)

        patch.setattr(database, "_engine", engine)
        yield
