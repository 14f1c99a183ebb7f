"""Post-incident reports: what happened in one incident, by whom and why, with the source of each sentence."""
