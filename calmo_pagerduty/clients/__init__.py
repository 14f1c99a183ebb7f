"""Clients of our own service: REST, tools, contexts."""
