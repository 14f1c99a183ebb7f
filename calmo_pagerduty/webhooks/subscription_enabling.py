"""Enables disabled subscriptions at PagerDuty. It is a write, so a connection's rules must allow it."""

from collections.abc import Sequence

from calmo_pagerduty.pagerduty.errors import AlreadySo
from calmo_pagerduty.pagerduty.requests import ApiRequest, Method, Plan
from calmo_pagerduty.pagerduty.tokens import TokenInfo
from calmo_pagerduty.tools.permissions import READ_ONLY_ROLES, ConnectionRules, Switch

#: The switch that allows it. It is no tool: only the doctor does it.
ENABLE_WEBHOOK = "tool:enable_webhook"


def may_enable(rules: ConnectionRules, facts: TokenInfo) -> bool:
    """Tell whether the doctor may enable subscriptions that PagerDuty has disabled."""
    if facts.read_only or facts.role in READ_ONLY_ROLES:
        return False
    return rules.switches.get(ENABLE_WEBHOOK) is Switch.ALLOW


def enable(subscription_ids: Sequence[str]) -> Plan:
    """Enable the subscriptions. Repeatable. Source: POST /webhook_subscriptions/{id}/enable."""
    for subscription_id in subscription_ids:
        try:
            yield ApiRequest(method=Method.POST, path=f"/webhook_subscriptions/{subscription_id}/enable")
        except AlreadySo:
            continue
    return {}
