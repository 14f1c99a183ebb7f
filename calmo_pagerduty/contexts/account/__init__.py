"""What is cached of a PagerDuty account between incidents, and how it is read."""
