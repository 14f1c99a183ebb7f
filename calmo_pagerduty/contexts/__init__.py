"""The context of an incident: gathering, analysis, rendering."""
