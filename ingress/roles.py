"""The roles of an ingress process. Each runs in as many processes as one likes."""

from enum import StrEnum


class Role(StrEnum):
    """What a process of the ingress does."""

    #: Everything in one process.
    ALL = "all"
    #: Takes webhooks and does nothing else, so that nothing else can hold it up.
    DOOR = "door"
    #: Serves the REST API, MCP and streams. It takes webhooks too, for addresses that lead here.
    API = "api"
    #: Forwards deliveries, and runs what must run by itself: sweepers and schedulers. It serves its health.
    FORWARDER = "forwarder"
