"""The tools' plans: what each tool asks of PagerDuty, and what it makes of the answers. Pure."""
