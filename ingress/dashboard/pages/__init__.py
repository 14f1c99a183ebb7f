"""The pages of the dashboard, one module for each; `ingress.dashboard.site` lists them."""
