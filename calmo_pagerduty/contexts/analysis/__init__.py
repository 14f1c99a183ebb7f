"""The analysis of an incident's context: pure functions from what was gathered to findings."""
