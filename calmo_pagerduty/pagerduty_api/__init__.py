"""PagerDuty's side of the wire as we must speak and verify it."""
