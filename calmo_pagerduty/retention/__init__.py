"""Retention: deletes data after its retention period."""
