"""The REST endpoints of patterns."""
