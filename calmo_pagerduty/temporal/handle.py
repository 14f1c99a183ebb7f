"""A process's handle on Temporal. It exists before, and without, a connection."""

from collections.abc import Sequence
from typing import Any

from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RetryConfig

from calmo_pagerduty.temporal import client as temporal_client
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable


class TemporalHandle:
    """Holds the Temporal client that a process shares. Without a client, it is not connected yet."""

    def __init__(self, client: Client | None = None, metrics_address: str | None = None) -> None:
        self._client = client
        self._metrics_address = metrics_address

    @property
    def connected(self) -> bool:
        """True after a connection was made. Only a call shows whether Temporal answers now."""
        return self._client is not None

    @property
    def client(self) -> Client:
        """The client. Raises TemporalUnavailable without a connection."""
        if self._client is None:
            raise TemporalUnavailable("not connected")
        return self._client

    def hold(self, client: Client | None) -> None:
        """Set the connected client; None disconnects."""
        self._client = client

    async def connect(
        self, search_attributes: Sequence[SearchAttributeKey[Any]], retry: RetryConfig | None = None
    ) -> Client:
        """Return the client. Connects first if necessary, retrying without a time limit.

        Raises MissingSearchAttributes if the namespace can't hold them, MetricsNotServed.
        """
        if self._client is None:
            self._client = await temporal_client.connect(search_attributes, retry, self._metrics_address)
        return self._client
