"""The account snapshot: what PagerDuty says of schedules, policies, services, people and the past."""
