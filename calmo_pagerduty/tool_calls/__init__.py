"""Calls of tools: authorised, approved, carried out once, audited."""
