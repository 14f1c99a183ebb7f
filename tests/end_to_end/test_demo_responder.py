"""The demo's responder on Calmo's side finds its incident, whenever that was reopened.

In tests/end_to_end/test_live_table.py it does so in a demo.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from calmo_pagerduty.clients.requests import ApiRequest, ServerSentEvent
from calmo_pagerduty.clients.rest import ApiClient
from ingress.commands.demo_responder import TITLE, DemoResponder

Json = dict[str, Any]


def an_issue(**more: Any) -> Json:
    issue = {"id": "iss_1", "connection_id": "con_1", "incident_id": "Q1", "title": TITLE}
    return issue | {"status": "triggered", "reopened_at": "2026-06-01T12:00:00Z"} | more


@dataclass
class ScriptedApi:
    """Our REST API: what is open, and what the stream of changes tells."""

    open: Sequence[Json] = ()
    told: Sequence[Json] = ()
    calls: list[str] = field(default_factory=list)

    def changes(self, after: int | None = None) -> Iterator[ServerSentEvent | None]:
        yield None
        for number, issue in enumerate(self.told):
            yield ServerSentEvent(number, {"issue": issue})

    def list_issues(self, _params: Sequence[tuple[str, str]]) -> Json:
        return {"issues": list(self.open)}

    def ask(self, request: ApiRequest) -> Json:
        self.calls.append(request.path)
        return {"state": "done", "result": {"status": "resolved"}}


@pytest.mark.parametrize(
    ("open_", "told"),
    [((), (an_issue(reopened_at=None), an_issue())), ((an_issue(id="iss_0", title="other"), an_issue()), ())],
    ids=["reopened later", "reopened before it looked"],
)
def test_it_resolves_the_reopened_incident_once(open_: Sequence[Json], told: Sequence[Json]) -> None:
    api, said = ScriptedApi(open_, told), list[str]()
    DemoResponder(cast(ApiClient, api), said.append)._wait_for_issue()
    assert api.calls == ["/api/issues/iss_1/actions", "/api/tools/get_incident"]
    assert said == [f"“{TITLE}” was resolved from here (done); PagerDuty says: resolved"]
