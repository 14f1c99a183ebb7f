"""An incident's context as people and agents read it: pages, notes, digests and pictures. Pure."""
