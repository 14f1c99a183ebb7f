"""Reconciliation: compare our issues with PagerDuty, and add what is missing."""
