"""PagerDuty's REST API of an account, with a module for each group of resources."""
