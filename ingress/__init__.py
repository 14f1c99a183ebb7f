"""Every way in: thin."""
