"""REST endpoints of post-incident reports."""
