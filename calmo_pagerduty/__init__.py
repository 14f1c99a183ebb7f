"""What is decided and who is asked, whoever calls: domain rules, PagerDuty's API, the store."""
