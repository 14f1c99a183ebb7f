"""Serve the ingress over HTTP, and let requests in flight finish before it stops."""

import asyncio
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Protocol

import uvicorn
from starlette.applications import Starlette

from bootstrap.store import OpenStore, open_store
from calmo_pagerduty import logs
from calmo_pagerduty.heartbeats import show_heartbeat
from calmo_pagerduty.processes import check_port, loading, yield_to_doors
from calmo_pagerduty.settings import Settings
from ingress.connection_limits import ConnectionLimits
from ingress.door import DoorParts
from ingress.http_protocol import LimitedProtocol
from ingress.roles import Role

#: How long requests in flight may take to finish. PagerDuty waits 5 s for an answer.
SHUTDOWN_SECONDS = 4
#: How long a connection may wait for its next request.
KEEP_ALIVE_SECONDS = 20


class _Closing(Protocol):
    def close(self) -> None: ...


class _Server(uvicorn.Server):
    """Closes the ingress before it stops, so that new deliveries get 503 and not a broken connection."""

    def __init__(self, config: uvicorn.Config, ingress: _Closing, heartbeat_folder: Path) -> None:
        super().__init__(config)
        self._ingress = ingress
        self._heartbeat_folder = heartbeat_folder

    async def main_loop(self) -> None:
        heartbeat = asyncio.create_task(show_heartbeat(self._heartbeat_folder, "ingress"))
        try:
            await super().main_loop()
        finally:
            heartbeat.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._ingress.close()
        super().handle_exit(sig, frame)


def main(settings: Settings, role: Role = Role.ALL) -> None:
    """Serve until SIGTERM or SIGINT. Raises PortTaken, StoreUnavailable, KeyProblem."""
    logs.configure(settings.log_level, settings.log_format)
    check_port(settings.http_host, settings.http_port, "--port")
    run_ingress(settings, role)


def run_ingress(settings: Settings, role: Role = Role.ALL) -> None:
    """Serve until SIGTERM or SIGINT. Raises StoreUnavailable, KeyProblem."""
    if role is Role.FORWARDER:
        yield_to_doors()
    with open_store(settings) as store:
        app, ingress = _application(store, role)
        limits = ConnectionLimits(settings.connections_per_peer)
        config = uvicorn.Config(
            app,
            host=settings.http_host,
            port=settings.http_port,
            # uvicorn calls it like the class that it completes.
            http=partial(LimitedProtocol, limits),  # type: ignore[arg-type]
            ws="none",
            loop="uvloop",
            log_config=None,
            # The path holds the webhook's id, which is a secret.
            access_log=False,
            # A door asks nobody where a delivery comes from: its signature says it.
            proxy_headers=role is not Role.DOOR,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            backlog=2048,
        )
        _Server(config, ingress, settings.heartbeat_folder).run()


def _application(store: OpenStore, role: Role) -> tuple[Starlette, _Closing]:
    if role is Role.DOOR:
        with loading():
            door = DoorParts(store)
            return door.app(), door
    with loading():
        # A door does without all of this.
        from bootstrap.services import Services  # noqa: PLC0415 - imports all activities, and Temporal
        from ingress.app import build_app  # noqa: PLC0415 - imports all endpoints
        from ingress.parts import Ingress  # noqa: PLC0415 - imports all endpoints

        ingress = Ingress(Services.of(store))
        return build_app(ingress, role), ingress
