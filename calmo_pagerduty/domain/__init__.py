"""Nouns and decisions. Pure: no clock, no chance, no network, no database."""
