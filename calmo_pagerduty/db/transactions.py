"""The type of `tx`, the first parameter of every store function."""

from typing import TypeAlias

from sqlalchemy import Connection

#: An open transaction, which `Database.read` and `Database.write` pass to their work.
Transaction: TypeAlias = Connection
