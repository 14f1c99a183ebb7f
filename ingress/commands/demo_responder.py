"""Somebody at Calmo's side of the demo: they resolve one incident from here, and look what PagerDuty says."""

import threading
from collections.abc import Callable
from typing import Any

from calmo_pagerduty.clients.requests import ApiProblem, ServerSentEvent, issue_action, tool_call
from calmo_pagerduty.clients.rest import ApiClient
from calmo_pagerduty.incidents.action_names import Action

Json = dict[str, Any]

#: Of the story that the simulated PagerDuty tells: it is reopened, and then left for some time.
TITLE = "TLS certificate expires in 10 days"
RESOLUTION = "Renewed by hand; the DNS check now asks another resolver."
POLL_SECONDS = 0.3
MAX_LISTED = 100


class DemoResponder:
    """Follows what happens in a thread of its own, until it has done its part or is told to stop."""

    def __init__(self, client: ApiClient, tell: Callable[[str], None]) -> None:
        self._client = client
        self._tell = tell
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._wait_for_issue, name="demo-responder", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _wait_for_issue(self) -> None:
        after: int | None = None
        while not self._stopped.is_set():
            try:
                for event in self._client.changes(after):
                    awaited = next(filter(_is_demo_issue, self._issues_of(event, after)), None)
                    if awaited is not None:
                        self._resolve(awaited)
                        return
                    if event is not None:
                        # Only then: what could not be resolved is told again when the stream is resumed.
                        after = event.id
                    if self._stopped.is_set():
                        return
            except ApiProblem as problem:
                if problem.status is not None and problem.status < 500:
                    return  # refused: somebody was first, or writes were switched off
                self._stopped.wait(POLL_SECONDS)

    def _issues_of(self, event: ServerSentEvent | None, after: int | None) -> list[Json]:
        """Return the issue that changed. Once the stream is open, return those that are open: one may have
        been reopened before, and a new reader is told only what is new.
        """
        if event is not None:
            return [event.data["issue"]]
        if after is not None:
            return []
        return list(self._client.list_issues([("status", "triggered"), ("limit", str(MAX_LISTED))])["issues"])

    def _resolve(self, issue: Json) -> None:
        """At a high speed of the story somebody at PagerDuty may be first: that is no fault."""
        resolved = issue_action(issue["id"], Action.RESOLVE, {"resolution": RESOLUTION})
        done = self._client.ask(resolved)
        asked = {"incident_id": issue["incident_id"]}
        seen = self._client.ask(tool_call("get_incident", asked, issue["connection_id"]))
        status = (seen.get("result") or {}).get("status", "nothing")
        self._tell(f"“{TITLE}” was resolved from here ({done['state']}); PagerDuty says: {status}")


def _is_demo_issue(issue: Json) -> bool:
    return issue["title"] == TITLE and issue["reopened_at"] is not None and issue["status"] == "triggered"
