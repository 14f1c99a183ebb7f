"""REST endpoints that manage webhooks: make, subscribe, verify, test, rotate, delete."""
