"""Render an incident's context for people and agents: pages, notes, digests and pictures. Pure."""
