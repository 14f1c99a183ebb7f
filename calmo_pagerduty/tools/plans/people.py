"""What is shown of people: addresses and numbers are masked unless they are asked for."""

import re
from typing import Any

from calmo_pagerduty.pagerduty.request_builders import moment_shown
from calmo_pagerduty.pagerduty.requests import JsonObject
from calmo_pagerduty.tools.plans.shapes import picked, ref, refs, url_of, without_nothing

_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


def masked(address: Any) -> str | None:
    """Return `a…@example.org` for an e-mail address, `…67` for anything else."""
    if not isinstance(address, str) or not address.strip():
        return None
    text = address.strip()
    if "@" in text:
        return f"{text[0] if text[0] != '@' else ''}…@{text.rsplit('@', 1)[1]}"
    return f"…{text[-2:]}" if len(text) > 4 else "…"


def user(thing: JsonObject, *, personal: bool) -> JsonObject:
    email = thing.get("email") if personal else masked(thing.get("email"))
    name = thing.get("name") or thing.get("summary")
    if isinstance(name, str) and not personal:
        # A user who was invited and never signed in is named by the address.
        name = _ADDRESS.sub(lambda found: masked(found[0]) or "", name)
    return without_nothing(
        picked(thing, "id", "job_title", "role", "time_zone", "invitation_sent")
        | {"name": name, "email": email, "teams": refs(thing.get("teams")), "url": url_of(thing)}
    )


def contact_method(thing: JsonObject, *, personal: bool) -> JsonObject:
    kind = str(thing.get("type") or "").removesuffix("_reference").removesuffix("_contact_method")
    address = thing.get("address") if personal else masked(thing.get("address"))
    names = ("id", "label", "country_code", "enabled", "blacklisted", "send_short_email")
    label = thing.get("label") or thing.get("summary")
    if isinstance(label, str) and not personal:
        label = _ADDRESS.sub(lambda found: masked(found[0]) or "", label)
    return without_nothing(picked(thing, *names) | {"type": kind, "label": label, "address": address})


def on_call(thing: JsonObject) -> JsonObject:
    """One row of who is on call. Without start and end it is permanent."""
    times = {name: moment_shown(thing.get(name)) for name in ("start", "end")}
    parts = {name: ref(thing.get(name)) for name in ("user", "schedule", "escalation_policy")}
    return without_nothing({"escalation_level": thing.get("escalation_level")} | times | parts)
