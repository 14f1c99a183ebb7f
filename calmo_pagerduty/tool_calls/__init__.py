"""Tool calls: authorise, approve, carry out once, audit."""
