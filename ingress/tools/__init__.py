"""REST endpoints for tools, and the service that calls tools for all channels."""
