"""Rendering schedules ourselves: what-if scenarios, swaps, and the optimiser."""
