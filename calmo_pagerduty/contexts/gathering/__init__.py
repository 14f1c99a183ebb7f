"""Gathering an incident's context: its sources, each version, and its assessment."""
