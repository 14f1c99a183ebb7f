"""Access: API keys with their permissions, and the audit chain."""
