"""The context of an incident: gathered, analysed, rendered."""
