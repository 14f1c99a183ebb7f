"""Authentication, endpoint rows, errors and models that all REST endpoints share."""
