"""Temporal: the client, the embedded server, and rate limits of task queues."""
