"""The delivery log, replay, and why an incident is or is not an issue."""
