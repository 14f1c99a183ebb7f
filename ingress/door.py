"""The door: a process that takes webhooks and does nothing else.

It asks neither Temporal nor PagerDuty, runs no loops, and has connections to the database and a writer of
its own. On SQLite it has a file of its own as well, because its commits would wait for those of all other
processes (`calmo_pagerduty/deliveries/journal_service.py`). What it stores, a forwarder hears of at once
(`calmo_pagerduty/db/announcements.py`).
"""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from bootstrap.store import OpenStore
from calmo_pagerduty.deliveries.journal_service import InboxJournal
from ingress.api.endpoints import routes
from ingress.api.errors import STATUS_OF_OWN_ERROR, answer_http_error, answer_own_error
from ingress.api.health import HealthEndpoints, metrics_endpoint
from ingress.metrics import Metrics
from ingress.webhook_receiver.endpoint import webhook_endpoint
from ingress.webhook_receiver.rate_limits import TokenBuckets
from ingress.webhook_receiver.receiver import WebhookReceiver
from ingress.webhook_receiver.webhook_directory import WebhookDirectory


class DoorParts:
    """The parts of a door."""

    def __init__(self, store: OpenStore) -> None:
        settings, self._database = store.settings, store.database
        self.metrics = Metrics()
        journal = InboxJournal.beside(store.database)
        self.webhook_receiver = WebhookReceiver(
            store.database,
            WebhookDirectory(store.database, store.keyring),
            self.metrics,
            TokenBuckets(settings.webhook_rate, settings.webhook_burst),
            journal=journal,
        )
        self._health = HealthEndpoints(store.database, settings.instance, journal=journal)

    def app(self) -> Starlette:
        """Return the ASGI application."""
        endpoints = [
            webhook_endpoint(self.webhook_receiver),
            *self._health.endpoints(),
            metrics_endpoint(self.metrics),
        ]
        app = Starlette(
            routes=list(routes(endpoints, self._database)),
            exception_handlers={
                **dict.fromkeys(STATUS_OF_OWN_ERROR, answer_own_error),
                HTTPException: answer_http_error,
            },
        )
        # A redirect would make PagerDuty drop the delivery.
        app.router.redirect_slashes = False
        return app

    def close(self) -> None:
        """Answer new deliveries with 503."""
        self.webhook_receiver.closing = True
