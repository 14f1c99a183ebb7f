"""REST endpoints of workload reports, their settings, and requests for cover; the sweeper of rough nights."""
