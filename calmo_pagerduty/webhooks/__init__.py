"""Webhooks: their life, their secrets, PagerDuty's subscriptions, and whether they work."""
