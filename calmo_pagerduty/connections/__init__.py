"""Connections: one PagerDuty account in one scope, with its token, rules and rate limit."""
