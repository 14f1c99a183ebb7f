"""The first parameter, `tx`, of every function of the store."""

from typing import TypeAlias

from sqlalchemy import Connection

#: A begun database transaction, as `Database.read` and `Database.write` hand it to their work.
Transaction: TypeAlias = Connection
