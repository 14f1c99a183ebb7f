"""What is decided and who is asked, whoever calls: domain rules, PagerDuty's API, the store."""

#: The release, which agents and clients see.
__version__ = "0.1.0"
