"""Plots as accessible SVG, light and dark, and as text for terminals. Pure."""
