"""Statistics in plain Python and NumPy: survival, rates, trends, counts, proportions, fairness. Pure."""
