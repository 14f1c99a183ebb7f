"""Accounts with known truth: what caused the incident, who mends such ones, what is wrong."""
