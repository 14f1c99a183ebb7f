"""What everything else may use: values, scopes, times and texts. Imports nothing of ours."""
