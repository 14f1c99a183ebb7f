"""Webhook deliveries: the inbox, which is also the delivery log, and what became of each delivery."""
