"""Speed and cost, measured on this machine next to a bare Temporal workflow."""
