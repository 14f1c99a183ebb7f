"""Patterns of ids."""

import re

#: PagerDuty's ids. No other text becomes part of a workflow id or a URL.
INCIDENT_ID = re.compile(r"[A-Za-z0-9]{1,64}")

#: Our ids of issues, see `IncidentRef.issue_id`.
ISSUE_ID = re.compile(r"iss_[a-z2-7]{24}")
