"""Statistics in plain Python and NumPy: survival, rates, proportions, fairness. Pure."""
