"""Webhook deliveries: the inbox, which is also the delivery log, and the state of each delivery."""
