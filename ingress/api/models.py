"""What the models of every endpoint are made of. The models are also the OpenAPI document."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from calmo_pagerduty.deliveries.model import Verdict

#: Text to compare with: no database holds a NUL.
Word = Annotated[str, Field(max_length=1024, pattern=r"^[^\x00]*$")]


class Model(BaseModel):
    """What the API takes or answers. Unknown fields are refused, and errors never repeat a value."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @classmethod
    def from_row(cls, row: object, **computed: object) -> Self:
        """Return the row as this model: its attributes of the same names, and what is computed.

        Raises AttributeError if the row hasn't what the model shows.
        """
        same = {name: getattr(row, name) for name in cls.model_fields if name not in computed}
        return cls.model_validate({**same, **computed}, from_attributes=True)


class NoBody(Model):
    """Nothing further is to be said."""


class VerdictModel(Model):
    """How a delivery ended: see the table of answers."""

    verdict: Verdict


class HealthModel(Model):
    status: Literal["ok"] = "ok"


class ReadinessModel(Model):
    """Each part as `ok` or in words what is wrong."""

    ready: bool
    database: str
    temporal: str


class Links:
    """Where people look further."""

    def __init__(self, temporal_ui_url: str, namespace: str) -> None:
        self._workflows = f"{temporal_ui_url.rstrip('/')}/namespaces/{namespace}/workflows"

    def workflow(self, workflow_id: str) -> str:
        """Return the address of a workflow in the Temporal UI."""
        return f"{self._workflows}/{workflow_id}"
