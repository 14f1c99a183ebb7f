"""REST endpoints that manage connections."""
