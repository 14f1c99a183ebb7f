"""PagerDuty's REST API over one account: one module for each group of resources."""
