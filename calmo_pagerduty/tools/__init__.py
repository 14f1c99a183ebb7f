"""The PagerDuty tools: each is a row with its arguments and its plan. Pure."""
