"""Pure analyses: what was gathered in, findings out. No clock, no chance, no I/O."""
