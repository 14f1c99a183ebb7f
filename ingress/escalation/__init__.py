"""REST endpoints of the analyses of escalation policies, and of drills."""
