"""How on-call hours and interruptions are distributed: fairness, pay, working time, rough nights."""
