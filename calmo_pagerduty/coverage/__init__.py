"""Who is on call when, where nobody is, and whether a page would reach a person."""
