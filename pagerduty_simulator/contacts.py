"""How people are reached: contact methods and notification rules, made in PagerDuty's forms."""

import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pagerduty_simulator import identifiers
from pagerduty_simulator.resources import ContactMethod, NotificationRule

URGENCIES: Final = ("high", "low")
_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {"email": "Default", "push_notification": "Pixel 9", "whatsapp": "WhatsApp"}
)

# The urgency, the delay in minutes, and the kind of contact method of each notification rule.
RulePlan = tuple[tuple[str, int, str], ...]


def default_contacts(
    user_id: str, email: str
) -> tuple[tuple[ContactMethod, ...], tuple[NotificationRule, ...]]:
    """Return what a new user has: e-mail, used at once for both urgencies. The id decides the others' ids.

    Source: PagerDuty's documentation of the user profile, "Default notification rules".
    """
    rng = random.Random(f"contacts/{user_id}")
    method = contact_method("email", email, rng)
    return (method,), notification_rules(
        (method,), tuple((urgency, 0, "email") for urgency in URGENCIES), rng
    )


def contact_method(
    kind: str,
    address: str,
    rng: random.Random,
    *,
    label: str | None = None,
    enabled: bool = True,
    blacklisted: bool = False,
) -> ContactMethod:
    """Return a contact method of this kind with a new id."""
    label = label or _LABELS.get(kind, "Mobile")
    return ContactMethod(identifiers.object_id(rng), kind, label, address, enabled, blacklisted)


def phone_number(rng: random.Random) -> str:
    """Return a made-up number that nobody has, without its country code."""
    return f"30{rng.randrange(1_000_000, 9_999_999)}"


def notification_rules(
    methods: tuple[ContactMethod, ...], plan: RulePlan, rng: random.Random
) -> tuple[NotificationRule, ...]:
    """Return the rules of a plan; each uses the first method of its kind. Raises KeyError without one."""
    first = {method.kind: method.id for method in reversed(methods)}
    return tuple(
        NotificationRule(identifiers.object_id(rng), urgency, delay, first[kind])
        for urgency, delay, kind in plan
    )
