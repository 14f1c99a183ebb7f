"""Which notification rules reach a person before an escalation policy moves on. Pure.

Source: PagerDuty's documentation, "Notification Rules": a rule fires so many minutes after the assignment,
while the incident is still triggered and assigned to the person.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from calmo_pagerduty.snapshots.model import ContactKind, ContactMethod, NotificationRule, Urgency, User


class Flag(StrEnum):
    """What PagerDuty says of a contact method's state, by its names."""

    ENABLED = "enabled"
    #: PagerDuty sends nothing to it any more.
    BLACKLISTED = "blacklisted"


#: What PagerDuty documents for each kind. Source: its REST API's schemas of contact methods.
FLAGS: Mapping[ContactKind, tuple[Flag, ...]] = {
    ContactKind.EMAIL: (Flag.ENABLED,),
    ContactKind.PHONE: (Flag.ENABLED, Flag.BLACKLISTED),
    ContactKind.SMS: (Flag.ENABLED, Flag.BLACKLISTED),
    ContactKind.WHATSAPP: (Flag.ENABLED, Flag.BLACKLISTED),
    ContactKind.PUSH: (Flag.BLACKLISTED,),
}


class RuleReach(NamedTuple):
    """A rule, its contact method if we know it, and whether the method can be used; None if unknown."""

    rule: NotificationRule
    method: ContactMethod | None
    is_usable: bool | None


def is_usable(method: ContactMethod | None) -> bool | None:
    """Return whether PagerDuty can use a contact method: False if it is disabled or blocked.

    None if it isn't known: PagerDuty must say all that it documents for the kind. Whether a number or an
    address was ever verified stands nowhere in its API.
    """
    if method is None:
        return None
    if method.is_enabled is False or method.is_blacklisted is True:
        return False
    says = {Flag.ENABLED: method.is_enabled, Flag.BLACKLISTED: method.is_blacklisted}
    return None if any(says[flag] is None for flag in FLAGS[method.kind]) else True


def rules_of(user: User, urgency: Urgency) -> tuple[RuleReach, ...] | None:
    """Return a person's rules of that urgency, the earliest first; None if the token may not read them."""
    if user.notification_rules is None:
        return None
    methods = {method.id: method for method in user.contact_methods or ()}
    rules = sorted(
        (rule for rule in user.notification_rules if rule.urgency is urgency),
        key=lambda rule: (rule.delay_minutes, rule.id),
    )
    return tuple(
        RuleReach(rule, methods.get(rule.contact_method_id), is_usable(methods.get(rule.contact_method_id)))
        for rule in rules
    )


def first_page_minutes(user: User, urgency: Urgency) -> int | None:
    """Return after how many minutes the first usable rule fires; None if none does, or if unknown."""
    return min(
        (reach.rule.delay_minutes for reach in rules_of(user, urgency) or () if reach.is_usable is not False),
        default=None,
    )
