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
#: Of a session of ours, in milliseconds.
LOCK_MS = 2_000
WRITE_MS = 10_000
READ_MS = 15_000
IDLE_IN_TRANSACTION_MS = 15_000
