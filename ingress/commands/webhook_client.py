"""Our REST API as the webhook commands use it: what takes long is shown as it happens."""

import json
import time
from collections.abc import Iterator

from calmo_pagerduty.api_client import ApiClient, ApiProblem, Json
from calmo_pagerduty.http_client import HTTPError, Timeout

LOOK_SECONDS = 1.0


class WebhookClient(ApiClient):
    """Every call raises ApiProblem."""

    def steps(self, path: str) -> Iterator[Json]:
        """Yield the steps of a test as they end."""
        headers = {"Accept": "text/event-stream"}
        patience = Timeout(10.0, read=60.0)
        try:
            with self._http.stream("POST", path, json={}, headers=headers, timeout=patience) as answer:
                if answer.status_code != 200:
                    answer.read()
                    self._json(answer)
                for line in answer.iter_lines():
                    if line.startswith("data:"):
                        yield json.loads(line.removeprefix("data:"))
        except HTTPError as error:
            raise ApiProblem(self._unreachable(error)) from error

    def validations(self, path: str, seconds: float) -> Iterator[Json]:
        """Yield what the wizard says, again and again until it is good or the time is over."""
        ends_at = time.monotonic() + seconds
        while True:
            said = self.send("POST", path, {})
            yield said
            if said["proven"] or time.monotonic() >= ends_at:
                return
            time.sleep(LOOK_SECONDS)
