"""The keys of escalation drills' incidents."""

from calmo_pagerduty.kernel.json_values import JsonObject, as_text

#: A key begins so; the rest is random. The prefix alone proves nothing: `drill_marker_store` knows all keys.
KEY_PREFIX = "calmo-drill-"
MAX_KEY = 255


def drill_key(incident: JsonObject) -> str | None:
    """Return the incident's key if it looks like a drill's."""
    key = as_text(incident.get("incident_key"), MAX_KEY)
    return key if key is not None and key.startswith(KEY_PREFIX) else None
