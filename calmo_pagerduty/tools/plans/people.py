"""What is shown of people: addresses and numbers are masked unless they are asked for."""

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


def shape_user(thing: JsonObject, *, personal: bool) -> JsonObject:
    email = thing.get("email") if personal else mask_address(thing.get("email"))
    name = thing.get("name") or thing.get("summary")
    if isinstance(name, str) and not personal:
        # A user who was invited and never signed in is named by the address.
        name = _ADDRESS.sub(lambda found: mask_address(found[0]) or "", name)
    return without_empty(
        pick_fields(thing, "id", "job_title", "role", "time_zone", "invitation_sent")
        | {"name": name, "email": email, "teams": shape_references(thing.get("teams")), "url": url_of(thing)}
    )


def shape_contact_method(thing: JsonObject, *, personal: bool) -> JsonObject:
    kind = str(thing.get("type") or "").removesuffix("_reference").removesuffix("_contact_method")
    address = thing.get("address") if personal else mask_address(thing.get("address"))
    names = ("id", "label", "country_code", "enabled", "blacklisted", "send_short_email")
    label = thing.get("label") or thing.get("summary")
    if isinstance(label, str) and not personal:
        label = _ADDRESS.sub(lambda found: mask_address(found[0]) or "", label)
    return without_empty(pick_fields(thing, *names) | {"type": kind, "label": label, "address": address})


def shape_on_call(thing: JsonObject) -> JsonObject:
    """One row of who is on call. Without start and end it is permanent."""
    times = {name: format_shown_time(thing.get(name)) for name in ("start", "end")}
    parts = {name: shape_reference(thing.get(name)) for name in ("user", "schedule", "escalation_policy")}
    return without_empty({"escalation_level": thing.get("escalation_level")} | times | parts)
