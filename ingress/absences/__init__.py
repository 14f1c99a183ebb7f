"""Calendars of absences over REST."""
