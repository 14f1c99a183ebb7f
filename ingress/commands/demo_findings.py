"""Names in the terminal what the first on-call analyses of the demo's account found."""

import threading
from collections.abc import Callable
from typing import Any

from calmo_pagerduty.clients.requests import ApiProblem
from calmo_pagerduty.clients.rest import ApiClient
from calmo_pagerduty.kernel.count_text import count_text
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from ingress.commands.connection_paths import connection_path
from ingress.commands.finding_view import SEVERITY_BADGES

Json = dict[str, Any]

POLL_SECONDS = 1.0
MAX_LISTED = 200
MAX_TITLE = 200
#: What a lead would look at first; the rest is in `findings list`.
SHOWN = ("critical", "high", "medium")


class DemoFindings:
    """Waits in its own thread for the first complete run, and tells the worst finding of each kind."""

    def __init__(self, client: ApiClient, tell: Callable[[str], None]) -> None:
        self._client = client
        self._tell = tell
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._wait_for_run, name="demo-findings", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _wait_for_run(self) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            try:
                runs = self._client.get(f"{connection_path(self._client, None)}/oncall/runs")["runs"]
                if any(run["state"] == "complete" for run in runs):
                    page = self._client.get("/api/findings", [("limit", str(MAX_LISTED))])
                    for line in finding_lines(page["findings"]):
                        self._tell(line)
                    return
            except ApiProblem as problem:
                if problem.status is not None and problem.status < 500:
                    return  # there is more than one connection, so this is no demo


def finding_lines(findings: list[Json]) -> list[str]:
    """Return a line per kind of finding, its worst, in the order of the list, which is worst first."""
    worst: dict[str, Json] = {}
    for finding in findings:
        if finding["severity"] in SHOWN:
            worst.setdefault(finding["code"], finding)
    if not worst:
        return []
    lines = [f"On-call: {count_text(len(findings), 'finding')}; the worst of each kind:"]
    for finding in worst.values():
        badge, title = SEVERITY_BADGES[finding["severity"]][0], sanitize_text(finding["title"], MAX_TITLE)
        lines.append(f"  {badge:<10}  {title}  (findings show {finding['id']})")
    return lines
