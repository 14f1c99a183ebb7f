"""Incidents and their issues: lifecycle, timeline, actions, response targets."""
