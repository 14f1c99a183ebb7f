"""Where PagerDuty knocks: a delivery is verified, committed and answered."""
