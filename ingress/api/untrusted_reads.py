"""Remember that an agent reads foreign texts through MCP, before it gets them."""

from datetime import UTC, datetime

from starlette.requests import Request

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.access.untrusted import needs_mark
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.tool_calls.model import Channel
from ingress.api.calls import channel_of

#: What the agent's own server asks for, and answers with words of ours: lists of tools and connections.
_OUR_WORDS = frozenset({"/api/tools", "/api/report-tools", "/api/connections"})


async def save_untrusted_read(database: Database, principal: Principal) -> None:
    """Mark the key before an agent gets foreign texts with it. Raises StoreUnavailable."""
    now = datetime.now(UTC)
    if needs_mark(principal.untrusted_read_at, now):
        await database.write(lambda tx: api_keys.mark_untrusted_read(tx, principal.key_id, now))


async def save_read_of_request(database: Database, principal: Principal, request: Request, path: str) -> None:
    """Mark the key if the request comes from an agent's server and its answer may hold foreign texts.

    `path` is the route's. Raises StoreUnavailable.
    """
    if channel_of(request) is Channel.MCP and path not in _OUR_WORDS:
        await save_untrusted_read(database, principal)
