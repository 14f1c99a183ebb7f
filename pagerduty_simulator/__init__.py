"""The other side of the wire: a PagerDuty account that lives in memory and sends real webhooks.

It imports nothing of ours, so that its opinion of PagerDuty is independent of the code it tests.
"""
