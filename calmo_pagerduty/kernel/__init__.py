"""Values, scopes, times and texts that every package may use. It imports no other package of ours."""
