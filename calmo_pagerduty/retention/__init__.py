"""Retention: what is deleted after its time."""
