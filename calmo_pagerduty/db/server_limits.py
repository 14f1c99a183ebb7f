"""Time limits of connections to PostgreSQL: no vanished server and no lock holds up anybody for long."""

from typing import Any

#: Of libpq: a server that vanished without a word (a cut network, a dead host) is noticed within some ten
#: seconds. The kernel's own patience is a quarter of an hour for unanswered data, and two hours in silence.
VANISHED_SERVER: dict[str, Any] = {
    "connect_timeout": 2,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}
#: Of a session of ours, in milliseconds. The server ends what takes longer, so that our only writer goes on.
LOCK_MS = 5_000
WRITE_MS = 10_000
READ_MS = 12_000
IDLE_IN_TRANSACTION_MS = 60_000


#: An answer that comes so much later than the server would have given up, in milliseconds, will never come.
ANSWER_MARGIN_MS = 2_000


def answer_seconds(writing: bool) -> float:
    """Return how long we wait for the answer to a statement."""
    return ((WRITE_MS if writing else READ_MS) + ANSWER_MARGIN_MS) / 1000


def session_options(writing: bool, limited: bool) -> str:
    """Return the settings of a session as libpq's `options`."""
    settings = {"synchronous_commit": "on"}
    if limited:
        settings |= {
            "lock_timeout": str(LOCK_MS),
            "statement_timeout": str(WRITE_MS if writing else READ_MS),
            "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
        }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())
