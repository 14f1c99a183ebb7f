"""Find the service that a caller means, by its id or its name."""

from collections.abc import Mapping

from calmo_pagerduty.snapshots.model import Service
from ingress.api.errors import ResourceNotFound


def service_id_of(services: Mapping[str, Service], text: str) -> str:
    """Return the id of the service with that id or name. Raises ResourceNotFound."""
    if text in services:
        return text
    named = sorted(id_ for id_, service in services.items() if service.name.lower() == text.lower())
    if len(named) != 1:
        several = f"{len(named)} services are called" if named else "the snapshot has no service"
        raise ResourceNotFound(f"{several} {text!r}")
    return named[0]
