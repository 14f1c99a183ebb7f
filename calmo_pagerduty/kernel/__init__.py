"""What every other package is built on: times, durations, JSON values, scopes, the base of frozen values.

It is pure (no clock, no chance, no I/O) and imports nothing of ours.
"""
