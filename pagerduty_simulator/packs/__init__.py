"""Packs: accounts with known ground truth, such as the incident's cause and its responder."""
