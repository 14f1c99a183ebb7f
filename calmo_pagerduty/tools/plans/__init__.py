"""The tools' plans: the requests that each tool sends to PagerDuty, and the results it builds. Pure."""
