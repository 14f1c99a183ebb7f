"""Findings of all analyses: one store, one inbox, one life cycle."""
