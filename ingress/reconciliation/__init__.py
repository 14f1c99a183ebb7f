"""REST endpoints and schedules for the doctor and for reconciliation."""
