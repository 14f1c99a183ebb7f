"""The PagerDuty tools, one row each: pure, from arguments to what is asked of PagerDuty."""
