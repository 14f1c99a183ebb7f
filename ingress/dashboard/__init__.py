"""The dashboard: pages for people, drawn on the server from the same models as the REST API's answers."""
