"""The reference to an incident, which determines its workflow id and its issue id."""

import base64
import functools
import hashlib

from calmo_pagerduty.kernel.model import FrozenModel


class IncidentRef(FrozenModel):
    """One PagerDuty incident as seen through one connection."""

    connection_id: str
    incident_id: str

    @property
    def workflow_id(self) -> str:
        """`pd-incident:INCIDENT:CONNECTION`, so that operators can search by the incident's id."""
        return f"pd-incident:{self.incident_id}:{self.connection_id}"

    @property
    def issue_id(self) -> str:
        """The issue's id. It is derived, so one reference can't have two issues."""
        return _issue_id(self.connection_id, self.incident_id)


# Used several times per event; the cache costs less than the hash.
@functools.lru_cache(maxsize=10_000)
def _issue_id(connection_id: str, incident_id: str) -> str:
    digest = hashlib.sha256(f"{connection_id}\n{incident_id}".encode()).digest()
    return "iss_" + base64.b32encode(digest[:15]).decode().lower()
