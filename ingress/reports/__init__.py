"""REST endpoints of reports."""
