"""Gather an incident's context: read its sources, assess it, and store each version."""
