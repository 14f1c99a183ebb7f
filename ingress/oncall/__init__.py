"""The on-call analyses: endpoints that start and show runs, and the loop that starts them."""
