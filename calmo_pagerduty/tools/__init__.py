"""The PagerDuty tools: one row each, with its arguments and its plan. Pure."""
