"""Which services depend on which: the map, how failures spread, and what is fragile."""
