"""A simulator of PagerDuty: an account in memory that serves the REST API and sends real webhooks.

It imports nothing from the product, so that its view of PagerDuty is independent of the code that it tests.
"""
