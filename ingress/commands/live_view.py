"""The live table of `up`: the newest issues and their state, from the REST API's stream of changes."""

import threading
import time
from collections import deque
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from calmo_pagerduty.clients.requests import ApiProblem
from calmo_pagerduty.clients.rest import ApiClient
from ingress.commands.issue_view import change_line, live_table

Json = dict[str, Any]

#: At most this many issues are shown. All are at /api/issues.
MAX_ROWS = 12
MAX_MESSAGES = 4


class LiveView:
    """Shows a table on a terminal, and a line per change elsewhere."""

    def __init__(self, console: Console, client: ApiClient, heading: Text) -> None:
        self._console = console
        self._client = client
        self._heading = heading
        self._issues: dict[str, Json] = {}
        self._messages: deque[str] = deque(maxlen=MAX_MESSAGES)
        self._stopped = threading.Event()
        self._live = Live(console=console, refresh_per_second=4, get_renderable=self._render)

    def start(self) -> None:
        if self._console.is_terminal:
            self._live.start()
        threading.Thread(target=self._follow, name="live-view", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        if self._console.is_terminal:
            self._live.stop()

    def print_line(self, line: str) -> None:
        """Show a message about the service itself."""
        if self._console.is_terminal and self._live.is_started:
            self._messages.append(line)
        else:
            self._console.print(Text(line), soft_wrap=True)

    def print_above(self, line: str) -> None:
        """Show a line that stays above the table, which keeps its size."""
        self._console.print(Text(line), soft_wrap=True)

    def _follow(self) -> None:
        after: int | None = None
        while not self._stopped.is_set():
            try:
                for event in self._client.changes(after):
                    if event is not None:
                        after = event.id
                        self._apply_change(event.data)
                    elif after is None:
                        # List the issues once the stream is open, and again if it breaks before its first
                        # change: then it cannot be resumed, and changes in between would be lost.
                        page = self._client.list_issues([("limit", str(MAX_ROWS))])
                        self._issues = {issue["id"]: issue for issue in page["issues"]}
            except ApiProblem:
                time.sleep(0.3)

    def _apply_change(self, change: Json) -> None:
        self._issues[change["issue"]["id"]] = change["issue"]
        if not self._console.is_terminal and not self._stopped.is_set():
            self._console.print(change_line(change), soft_wrap=True)

    def _render(self) -> Group:
        newest = sorted(list(self._issues.values()), key=lambda issue: str(issue["created_at"]), reverse=True)
        counts = Text(f"{len(newest)} issues" if newest else "waiting for the first delivery …", style="dim")
        messages = [Text(line, style="yellow") for line in tuple(self._messages)]
        size = self._console.size
        # The cursor needs the last line, and an empty line separates the heading from the table.
        used_lines = len(self._heading.wrap(self._console, size.width)) + len(messages) + 3
        table = live_table(newest[:MAX_ROWS], size.width, size.height - used_lines)
        return Group(self._heading, Text(), table, counts, *messages)
