"""PagerDuty's side: its REST API, its webhook events, its log entries and its schedules."""
