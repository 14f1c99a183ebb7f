"""A receiver of reports that is an HTTP server of a few lines, and runs of reports on Temporal."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from calmo_pagerduty.reports.model import ReportKind
from tests.support.system import System
from workflows import names
from workflows.report import ReportEnd, ReportStart


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes


@dataclass
class Inbox:
    """An HTTP server of a few lines. It answers with the next scripted status, then with 204."""

    script: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in head.splitlines()[1:] if line)
        }
        body = await reader.readexactly(int(headers["content-length"]))
        self.received.append(Received(headers, body))
        status = self.script.pop(0) if self.script else "204 No Content"
        place = f"Location: {self.url}/elsewhere\r\n" if status.startswith("3") else ""
        writer.write(f"HTTP/1.1 {status}\r\n{place}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def running_inbox() -> AsyncIterator[Inbox]:
    made = Inbox()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made


async def run_report(service: System, connection: str) -> ReportEnd:
    services = service.ingress.services
    end: ReportEnd = await services.temporal.client.execute_workflow(
        names.REPORT_WORKFLOW,
        ReportStart(connection_id=connection, kind=ReportKind.WEEKLY_OPERATIONS),
        id=names.report_workflow_id(connection, ReportKind.WEEKLY_OPERATIONS),
        task_queue=services.settings.task_queue,
        result_type=ReportEnd,
    )
    return end
