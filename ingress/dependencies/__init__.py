"""Service dependencies over REST."""
