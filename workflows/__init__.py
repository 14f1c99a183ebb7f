"""Temporal workflows: deterministic, thin, versioned."""
