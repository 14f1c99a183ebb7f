"""Run the whole service on this machine, with a simulated PagerDuty for the demo."""

import asyncio
import os
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from calmo_pagerduty.clients.rest import ApiClient
from calmo_pagerduty.heartbeats import is_hung
from calmo_pagerduty.http_client import AsyncClient, HTTPError
from calmo_pagerduty.processes import free_port, start_child
from calmo_pagerduty.settings import load_settings
from calmo_pagerduty.temporal.dev_server import TemporalDevServer
from ingress.commands.console import new_console
from ingress.commands.demo_findings import DemoFindings
from ingress.commands.demo_responder import DemoResponder
from ingress.commands.instances import Instance, announce, withdraw
from ingress.commands.live_view import LiveView
from ingress.commands.local_store import create_sign_in_link
from ingress.commands.preparation import CannotStart, Demo, UpOptions, check_ports, lock_folder, prepare
from ingress.shutdown import wait_for_signal
from ingress.supervisor import SupervisedProcess, Supervisor
from workflows import names

#: How long a process may take to answer. Usually it takes seconds; a slow machine needs far longer.
READY_SECONDS = 180.0
STOP_TIMEOUT = 5.0


def run_everything(
    data_dir: Path | None,
    port: int,
    webhook_port: int,
    temporal_port: int,
    ui_port: int,
    demo: bool,
    speed: float,
) -> None:
    """Run until a signal comes. Raises CannotStart, PortTaken, InvalidSettings."""
    folder = (data_dir or load_settings().data_dir).absolute()
    simulator_port = free_port() if demo else 0
    options = UpOptions(
        folder, port, webhook_port, temporal_port, ui_port, demo, speed, simulator_port, free_port()
    )
    lock = lock_folder(folder)
    try:
        check_ports(options)
        asyncio.run(_Service(options).run())
    finally:
        lock.close()


@dataclass
class _Service:
    plan: UpOptions
    console: Console = field(default_factory=new_console)

    def __post_init__(self) -> None:
        plan = self.plan
        self.settings = load_settings(data_dir=plan.data_dir, http_host="127.0.0.1", http_port=plan.port)
        self.view: LiveView | None = None
        self.responder: DemoResponder | None = None
        self.findings: DemoFindings | None = None
        self.supervisor = Supervisor(self._print_line)

    async def run(self) -> None:
        """Start the processes in order, show the issues until a signal comes, stop in reverse order."""
        started_at = time.monotonic()
        stop = asyncio.create_task(wait_for_signal())
        plan = self.plan
        api_key, demo = prepare(self.settings, plan)
        instance = Instance(
            str(plan.data_dir),
            plan.url,
            plan.temporal_address,
            plan.ui_url,
            os.getpid(),
            plan.webhook_url,
        )
        parts = self._processes(demo)
        try:
            starting = asyncio.create_task(self._start(parts, instance))
            await asyncio.wait({starting, stop}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                await starting
                self._show(api_key, time.monotonic() - started_at)
                await stop
            else:
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
        finally:
            try:
                if self.responder:
                    self.responder.stop()
                if self.findings:
                    self.findings.stop()
                if self.view:
                    self.view.stop()
                self.console.print("stopping …")
            except OSError:  # the terminal was closed
                self.console.quiet = True
            finally:
                withdraw(instance)
                await self._stop(parts)
            self.console.print(f"stopped; everything is kept in {plan.data_dir}", soft_wrap=True)

    async def _start(self, parts: list[SupervisedProcess], instance: Instance) -> None:
        temporal, *programs = parts
        await self.supervisor.run(temporal)
        announce(instance)
        for part in programs:
            if part.after_ready:
                await self._until_ready()
            await self.supervisor.run(part)
        await self._until_ready()

    async def _until_ready(self) -> None:
        plan = self.plan
        await _until_answer(plan.door_url)
        for port in (plan.port, plan.forwarder_port):
            await _until_answer(f"http://127.0.0.1:{port}", with_temporal=True)

    async def _stop(self, parts: list[SupervisedProcess]) -> None:
        temporal, *programs = parts
        await asyncio.gather(*(self.supervisor.stop(part, STOP_TIMEOUT) for part in programs))
        await self.supervisor.stop(temporal, STOP_TIMEOUT - 1)

    def _processes(self, demo: Demo | None) -> list[SupervisedProcess]:
        plan, logs = self.plan, self.plan.data_dir / "logs"
        environment = plan.environment()
        server = TemporalDevServer(
            log_file=logs / "temporal.log",
            port=plan.temporal_port,
            ui_port=plan.ui_port,
            database=plan.data_dir / "temporal.db",
            search_attributes=names.SEARCH_ATTRIBUTES,
        )

        async def start_temporal() -> asyncio.subprocess.Process:
            await server.start()
            assert server.child is not None
            return server.child

        def program(
            name: str, *command: str, after_ready: bool = False, stdin: bytes | None = None
        ) -> SupervisedProcess:
            async def start() -> asyncio.subprocess.Process:
                return await start_child(
                    (sys.executable, "-m", *command), logs / f"{name}.log", environment, stdin
                )

            hung = partial(is_hung, plan.data_dir, command[0])
            return SupervisedProcess(name, start, after_ready, hung)

        def serve(role: str, port: int) -> tuple[str, ...]:
            return "ingress", "ingress", "--role", role, "--port", str(port)

        parts = [
            SupervisedProcess("temporal", start_temporal),
            program("worker", "worker"),
            program("door", *serve("door", plan.webhook_port)),
            program("api", *serve("api", plan.port)),
            program("forwarder", *serve("forwarder", plan.forwarder_port)),
        ]
        if demo is not None:
            parts.append(
                program(
                    "simulator",
                    "pagerduty_simulator",
                    "serve",
                    "--port",
                    str(plan.simulator_port),
                    "--token-stdin",
                    "--demo",
                    "--webhook-url",
                    "-",
                    "--secret-stdin",
                    "--speed",
                    str(plan.speed),
                    after_ready=True,
                    stdin=f"{demo.token}\n{demo.webhook_url}\n{demo.secret}\n".encode(),
                )
            )
        return parts

    def _show(self, api_key: str, seconds: float) -> None:
        plan = self.plan
        client = ApiClient(plan.url, api_key)
        heading = Text.assemble(
            ("Calmo PagerDuty", "bold"),
            f" is up after {seconds:.1f} s\n",
            ("  dashboard    ", "dim"),
            f"{create_sign_in_link(plan.data_dir, plan.url, api_key)}\n",
            ("               signs you in once; for a new link: calmo-pagerduty dashboard\n", "dim"),
            ("  REST API     ", "dim"),
            f"{plan.url}/api/issues\n",
            ("  webhooks     ", "dim"),
            f"{plan.webhook_url or plan.door_url}\n",
            ("  Temporal UI  ", "dim"),
            f"{plan.ui_url}\n",
            ("  data, logs   ", "dim"),
            f"{plan.data_dir}\n",
            ("  Ctrl-C stops; starting again keeps the data", "dim"),
        )
        self.view = LiveView(self.console, client, heading)
        if not self.console.is_terminal:
            self.console.print(heading, soft_wrap=True)
        self.view.start()
        if plan.demo:
            self.responder = DemoResponder(client, self._print_line)
            self.responder.start()
            self.findings = DemoFindings(client, self.view.print_above)
            self.findings.start()

    def _print_line(self, line: str) -> None:
        if self.view is not None:
            self.view.print_line(line)
        else:
            self.console.print(line)


async def _until_answer(url: str, with_temporal: bool = False) -> None:
    """Wait until the process is ready, and connected to Temporal where it is asked for."""
    deadline = time.monotonic() + READY_SECONDS
    async with AsyncClient(trust_env=False) as http:
        while time.monotonic() < deadline:
            try:
                answer = await http.get(f"{url}/readyz")
                connected = not with_temporal or answer.json()["temporal"] == "ok"
                if answer.status_code == 200 and connected:
                    return
            except HTTPError:
                pass
            await asyncio.sleep(0.1)
    raise CannotStart(f"{url}/readyz did not become ready within {READY_SECONDS:.0f} s; see the logs")
