"""PagerDuty's interfaces: REST API, webhook events, log entries and schedules."""
