"""Endpoints that ask "what if", optimise schedules and keep scenarios."""
