"""REST endpoints for the delivery log, its replay, and explanations of incidents."""
