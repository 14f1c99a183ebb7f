"""REST endpoints of trends and capacity."""
