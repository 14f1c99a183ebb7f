"""The webhook receiver: it verifies, stores and answers PagerDuty's deliveries."""
