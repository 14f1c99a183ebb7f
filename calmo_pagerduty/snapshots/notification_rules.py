"""Which notification rules reach a person before an escalation policy moves on. Pure.

Source: PagerDuty's documentation, "Notification Rules": a rule fires so many minutes after the assignment,
while the incident is still triggered and assigned to the person.
"""

from typing import NamedTuple

from calmo_pagerduty.snapshots.model import ContactMethod, NotificationRule, Urgency, User


class RuleReach(NamedTuple):
    """A rule, its contact method if we know it, and whether the method can be used; None if unknown."""

    rule: NotificationRule
    method: ContactMethod | None
    is_usable: bool | None


def is_usable(method: ContactMethod | None) -> bool | None:
    """Return False if the method is disabled or blacklisted, and None if PagerDuty doesn't say.

    A method that doesn't say it is disabled counts as usable; unknown is only a method that we don't see.
    """
    if method is None:
        return None
    return method.is_enabled is not False and method.is_blacklisted is not True


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
