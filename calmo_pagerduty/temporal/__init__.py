"""Temporal: the connection, the embedded server, rate limits of task queues."""
