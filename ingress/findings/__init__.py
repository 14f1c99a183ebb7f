"""REST endpoints for findings, the weekly digest, and metrics of them."""
