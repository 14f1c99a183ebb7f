"""Clients of our own service: REST API, tools and contexts."""
