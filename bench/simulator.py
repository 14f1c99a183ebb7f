"""The CPU of one event in the simulated PagerDuty and its receiver: the simulator must not limit a storm."""

import time
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.figures import Figure, Figures
from bench.sizes import Sizes
from pagerduty_simulator.rest.serving import running_server
from pagerduty_simulator.storms import random_storm
from pagerduty_simulator.webhook_sender import WebhookSender

TARGET_MS = 1000 / 300
_INCIDENTS, _EVENTS = 100, 600


async def _take(request: Request) -> Response:
    await request.body()
    return Response(status_code=202)


async def measure(_folder: Path, _sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    sender = WebhookSender()
    try:
        application = Starlette(routes=[Route("/webhook", _take, methods=["POST"])])
        async with running_server(application, "127.0.0.1", 0) as url:
            sender.subscribe(f"{url}/webhook", "s")
            storm = random_storm(1, _INCIDENTS, _EVENTS)
            started = time.process_time()
            sender.publish(storm)
            await sender.drained()
            spent = time.process_time() - started
    finally:
        await sender.aclose()
    return {"cpu_ms_per_event": Figure(spent * 1e3 / len(storm), "ms", TARGET_MS)}, {
        "events": len(storm),
        "incidents": _INCIDENTS,
    }
