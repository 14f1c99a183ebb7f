"""Webhooks as people manage them: make, subscribe, prove, test, rotate, delete."""
