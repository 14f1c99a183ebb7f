"""Base model and models that several endpoints share. The OpenAPI document is made from the models."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from calmo_pagerduty.deliveries.model import Verdict

#: A text to compare with stored texts. PostgreSQL stores no NUL.
Word = Annotated[str, Field(max_length=1024, pattern=r"^[^\x00]*$")]


def _check_instant(value: object) -> object:
    # pydantic would read 0.5 as half a second after 1970.
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return value
    if isinstance(value, datetime):
        return value
    raise ValueError("give a time with its time zone, such as 2026-03-01T09:00:00Z")


_NUMBER = re.compile(r"[-+]?[\d.]+(e[-+]?\d+)?", re.IGNORECASE)
#: An instant from 2000 to 2199, never a number.
Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_check_instant),
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC)),
]
#: Where a list goes on. An empty text means its beginning.
Cursor = Annotated[str | None, BeforeValidator(lambda value: value or None)]


class Model(BaseModel):
    """Base of the API's models. Unknown fields are refused, and errors do not repeat the input."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @classmethod
    def from_row(cls, row: object, **computed: object) -> Self:
        """Return the model with `computed` fields; all other fields come from the row's attributes.

        Raises AttributeError if the row lacks a field.
        """
        from_attributes = {name: getattr(row, name) for name in cls.model_fields if name not in computed}
        return cls.model_validate({**from_attributes, **computed}, from_attributes=True)


class NoBody(Model):
    """A body without fields."""


class VerdictModel(Model):
    """What the receiver decided about a delivery."""

    verdict: Verdict


class HealthModel(Model):
    status: Literal["ok"] = "ok"


class ReadinessModel(Model):
    """Each part is `ok` or a text that says what is wrong."""

    ready: bool
    database: str
    temporal: str


class Links:
    """Addresses in the Temporal UI, and the ingress's own, which links from there lead back to."""

    def __init__(self, temporal_ui_url: str, namespace: str, public_address: str) -> None:
        self.public_address = public_address
        self._workflows = f"{temporal_ui_url.rstrip('/')}/namespaces/{namespace}/workflows"

    def workflow(self, workflow_id: str) -> str:
        """Return the address of a workflow in the Temporal UI."""
        return f"{self._workflows}/{workflow_id}"
