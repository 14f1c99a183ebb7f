"""Who is on call when, gaps and readiness over REST."""
