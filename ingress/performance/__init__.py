"""REST endpoints of performance."""
