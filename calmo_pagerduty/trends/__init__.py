"""What incidents do over time: trends, seasons, changes of rates, forecasts, and the capacity for them."""
