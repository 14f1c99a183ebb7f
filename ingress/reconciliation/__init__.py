"""The doctor and reconciliation, from outside."""
