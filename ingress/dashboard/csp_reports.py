"""Receives browsers' reports of what the content security policy forbade."""

import json
import logging

from starlette.requests import Request
from starlette.responses import Response

from ingress.api.endpoints import read_body

logger = logging.getLogger(__name__)


async def receive_report(request: Request) -> Response:
    """POST /dashboard/csp-reports: log which directive was violated, and no addresses or samples."""
    try:
        report = json.loads(await read_body(request))["csp-report"]
        directive = str(report["effective-directive"])[:40]
    except (ValueError, LookupError, TypeError):
        return Response(status_code=400)
    logger.warning("csp_violation", extra={"directive": directive})
    return Response(status_code=204)
