"""The one handle on Temporal of a process that also works while Temporal is away."""

from collections.abc import Sequence
from typing import Any

from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RetryConfig

from calmo_pagerduty.temporal import client as temporal_client


class TemporalUnavailable(Exception):
    """Temporal can't be reached: nothing was begun."""


class TemporalHandle:
    """Shared by all that speaks to Temporal. Without a client it isn't connected yet."""

    def __init__(self, client: Client | None = None) -> None:
        self._client = client

    @property
    def connected(self) -> bool:
        """Whether there was a connection; whether Temporal answers now, only a call tells."""
        return self._client is not None

    @property
    def client(self) -> Client:
        """Raises TemporalUnavailable as long as there is no connection."""
        if self._client is None:
            raise TemporalUnavailable("not connected")
        return self._client

    def hold(self, client: Client | None) -> None:
        """Take over a connected client; None ends what there was."""
        self._client = client

    async def connect(
        self, search_attributes: Sequence[SearchAttributeKey[Any]], retry: RetryConfig | None = None
    ) -> Client:
        """Return the client, connecting first if need be, for as long as it takes.

        Raises MissingSearchAttributes if the namespace can't hold them.
        """
        if self._client is None:
            self._client = await temporal_client.connect(search_attributes, retry)
        return self._client
