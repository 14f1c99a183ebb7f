"""What ids look like."""

import re

#: What PagerDuty's ids look like. Anything else never becomes part of a workflow id or an URL.
INCIDENT_ID = re.compile(r"[A-Za-z0-9]{1,64}")

#: What ours look like: see `IncidentRef.issue_id`.
ISSUE_ID = re.compile(r"iss_[a-z2-7]{24}")
