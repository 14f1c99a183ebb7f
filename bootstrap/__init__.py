"""Builds the object graph of a process. Programs, tests and benches use the same one."""
