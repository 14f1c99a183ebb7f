"""PagerDuty accounts, as people manage them."""
