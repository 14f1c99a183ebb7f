"""Tables of task queues and of the workers that poll them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from calmo_pagerduty.temporal.task_queues import Poller, QueueState
from ingress.dashboard.rendering import duration
from ingress.dashboard.tables import Column, Table


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker at one of the queues. Temporal forgets one some minutes after its last poll."""

    queue: QueueState
    poller: Poller
    polls: bool


def worker_tables(queues: Sequence[QueueState], now: datetime) -> dict[str, Table[Any]]:
    """Return the tables `queues` and `workers`."""
    workers = [Worker(queue, poller, poller.polls(now)) for queue in queues for poller in queue.pollers]
    return {"queues": _queue_table(queues, now), "workers": _worker_table(workers)}


def _queue_table(queues: Sequence[QueueState], now: datetime) -> Table[QueueState]:
    return Table(
        "Task queues",
        (
            Column("Queue", lambda queue: queue.name, cell="queue_name"),
            Column("Tasks", lambda queue: queue.kind.name.lower()),
            Column("Tasks that wait", lambda queue: str(queue.waiting), is_figure=True),
            Column(
                "The oldest waits",
                lambda queue: duration(queue.waited) if queue.waiting else "",
                is_figure=True,
            ),
            Column(
                "Workers that poll",
                lambda queue: str(sum(poller.polls(now) for poller in queue.pollers)),
                is_figure=True,
            ),
        ),
        queues,
    )


def _worker_table(workers: Sequence[Worker]) -> Table[Worker]:
    return Table(
        "Workers",
        (
            Column("Worker", lambda worker: worker.poller.identity),
            Column("Polls for", lambda worker: worker.queue.kind.name.lower()),
            Column("Release", lambda worker: worker.poller.release or "unknown"),
            Column("State", lambda worker: "polls" if worker.polls else "gone", cell="worker_state"),
            Column("Last poll", lambda worker: worker.poller.last_poll.isoformat(), cell="worker_seen"),
        ),
        workers,
        empty="No worker polls: incidents are received and kept, and become issues once one does.",
    )
