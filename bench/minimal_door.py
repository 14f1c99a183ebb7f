"""A minimal door, to compare with: Starlette, the signature, and one group commit into SQLite.

`python -m bench.minimal_door PORT DATABASE` reads the secret from standard input.
"""

import asyncio
import hashlib
import hmac
import queue
import sqlite3
import sys
import threading
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MAX_BATCH = 256

Job = tuple[bytes, "asyncio.Future[None]"]


class GroupCommit:
    """Commits all waiting bodies together, with an fsync."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    async def insert(self, body: bytes) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs.put((body, done))
        await done

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE inbox (seq INTEGER PRIMARY KEY, body BLOB)")
        while True:
            batch = [self._jobs.get()]
            while len(batch) < MAX_BATCH and not self._jobs.empty():
                batch.append(self._jobs.get())
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO inbox (body) VALUES (?)", [(body,) for body, _ in batch])
            connection.execute("COMMIT")
            for _, done in batch:
                done.get_loop().call_soon_threadsafe(done.set_result, None)


def main() -> None:
    port, path = int(sys.argv[1]), Path(sys.argv[2])
    secret, commits = sys.stdin.buffer.read().strip(), GroupCommit(path)

    async def receive(request: Request) -> Response:
        body = await request.body()
        expected = "v1=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(request.headers.get("x-pagerduty-signature", ""), expected):
            return JSONResponse({}, 401)
        await commits.insert(body)
        return JSONResponse({"verdict": "accepted"}, 202)

    app = Starlette(routes=[Route("/webhooks/pagerduty/{webhook_id}", receive, methods=["POST"])])
    uvicorn.run(app, port=port, http="httptools", loop="uvloop", log_config=None, access_log=False)


if __name__ == "__main__":
    main()
