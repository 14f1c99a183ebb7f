"""Shape users, contact methods and on-calls. Addresses and numbers are masked unless the caller asks."""

import re
from typing import Any

from calmo_pagerduty.pagerduty.request_builders import format_shown_time
from calmo_pagerduty.pagerduty.requests import JsonObject
from calmo_pagerduty.tools.plans.shapes import (
    pick_fields,
    shape_reference,
    shape_references,
    url_of,
    without_empty,
)

_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


def mask_address(address: Any) -> str | None:
    """Return `a…@example.org` for an e-mail address, `…67` for anything else."""
    if not isinstance(address, str) or not address.strip():
        return None
    text = address.strip()
    if "@" in text:
        return f"{text[0] if text[0] != '@' else ''}…@{text.rsplit('@', 1)[1]}"
    return f"…{text[-2:]}" if len(text) > 4 else "…"


def shape_user(resource: JsonObject, *, personal: bool) -> JsonObject:
    email = resource.get("email") if personal else mask_address(resource.get("email"))
    name = resource.get("name") or resource.get("summary")
    if isinstance(name, str) and not personal:
        # An invited user who never signed in has the address as a name.
        name = _ADDRESS.sub(lambda found: mask_address(found[0]) or "", name)
    return without_empty(
        pick_fields(resource, "id", "job_title", "role", "time_zone", "invitation_sent")
        | {
            "name": name,
            "email": email,
            "teams": shape_references(resource.get("teams")),
            "url": url_of(resource),
        }
    )


def shape_contact_method(resource: JsonObject, *, personal: bool) -> JsonObject:
    kind = str(resource.get("type") or "").removesuffix("_reference").removesuffix("_contact_method")
    address = resource.get("address") if personal else mask_address(resource.get("address"))
    names = ("id", "label", "country_code", "enabled", "blacklisted", "send_short_email")
    label = resource.get("label") or resource.get("summary")
    if isinstance(label, str) and not personal:
        label = _ADDRESS.sub(lambda found: mask_address(found[0]) or "", label)
    return without_empty(pick_fields(resource, *names) | {"type": kind, "label": label, "address": address})


def shape_on_call(resource: JsonObject) -> JsonObject:
    """Return an on-call. Without start and end it is permanent."""
    times = {name: format_shown_time(resource.get(name)) for name in ("start", "end")}
    parts = {name: shape_reference(resource.get(name)) for name in ("user", "schedule", "escalation_policy")}
    return without_empty({"escalation_level": resource.get("escalation_level")} | times | parts)
