"""Webhooks: their states and secrets, PagerDuty's subscriptions, and the doctor that examines them."""
