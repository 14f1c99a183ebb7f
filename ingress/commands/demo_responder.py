"""The demo's responder: it resolves an incident from Calmo and shows the incident's status at PagerDuty."""

import threading
from collections.abc import Callable
from typing import Any

from calmo_pagerduty.clients.requests import ApiProblem, ServerSentEvent, issue_action, tool_call
from calmo_pagerduty.clients.rest import ApiClient
from calmo_pagerduty.incidents.action_names import Action

Json = dict[str, Any]

#: An incident of the simulated PagerDuty's story, which is reopened and then stays open for a while.
TITLE = "TLS certificate expires in 10 days"
RESOLUTION = "Renewed by hand; the DNS check now asks another resolver."
POLL_SECONDS = 0.3
MAX_LISTED = 100


class DemoResponder:
    """Follows the stream of changes in its own thread until it has resolved the incident or is stopped."""

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
                    demo_issue = next(filter(_is_demo_issue, self._issues_of(event, after)), None)
                    if demo_issue is not None:
                        self._resolve(demo_issue)
                        return
                    if event is not None:
                        # Only after the action: if it failed, the resumed stream repeats the change.
                        after = event.id
                    if self._stopped.is_set():
                        return
            except ApiProblem as problem:
                if problem.status is not None and problem.status < 500:
                    return  # refused: the incident was resolved already, or writes were switched off
                self._stopped.wait(POLL_SECONDS)

    def _issues_of(self, event: ServerSentEvent | None, after: int | None) -> list[Json]:
        """Return the issue that changed, or the open issues once the stream is open.

        The incident may have been reopened before, and a new stream has only new changes.
        """
        if event is not None:
            return [event.data["issue"]]
        if after is not None:
            return []
        return list(self._client.list_issues([("status", "triggered"), ("limit", str(MAX_LISTED))])["issues"])

    def _resolve(self, issue: Json) -> None:
        """Resolve the incident. At high speed, the story may resolve it first, which is no failure."""
        request = issue_action(issue["id"], Action.RESOLVE, {"resolution": RESOLUTION})
        done = self._client.ask(request)
        arguments = {"incident_id": issue["incident_id"]}
        incident = self._client.ask(tool_call("get_incident", arguments, issue["connection_id"]))
        status = (incident.get("result") or {}).get("status", "nothing")
        self._tell(f"“{TITLE}” was resolved from here ({done['state']}); PagerDuty says: {status}")


def _is_demo_issue(issue: Json) -> bool:
    return issue["title"] == TITLE and issue["reopened_at"] is not None and issue["status"] == "triggered"
