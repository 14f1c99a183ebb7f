"""Runs the on-call analyses on stored snapshots, and summarises their findings in a digest."""
