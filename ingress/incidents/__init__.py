"""Issues, as people and services read them."""
