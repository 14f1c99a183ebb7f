"""Patterns in an account's incidents, each with what a change would have avoided on its own history."""
