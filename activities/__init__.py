"""What may fail: classes with injected clients, no rules."""
