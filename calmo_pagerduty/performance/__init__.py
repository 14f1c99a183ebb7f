"""How fast teams, services and escalation policies answer and resolve, by PagerDuty's definitions."""
