"""Gathering an incident's context: what each source is asked, what is kept, and the assessment."""
