"""What endures: deterministic, thin, versioned."""
