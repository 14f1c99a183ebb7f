"""The memory of an account: its past incidents and changes, read little by little."""
