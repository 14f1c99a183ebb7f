"""Reports of an account: what happened in a time, for people, stamped and with definitions."""
