"""What happens to an incident minute by minute: simulation, lint, response times, drills."""
