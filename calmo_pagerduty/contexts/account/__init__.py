"""The account cache: what contexts of one PagerDuty account share, and how it is read."""
