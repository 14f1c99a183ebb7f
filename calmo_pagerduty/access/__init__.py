"""Who may do what: API keys, and the audit of what was done."""
