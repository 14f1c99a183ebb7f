"""REST endpoints for issues and for actions on them."""
