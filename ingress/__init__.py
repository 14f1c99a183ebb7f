"""All entry points: webhook receiver, REST API, MCP and command line. They are thin."""
