"""The base class of values that cross a process."""

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """An immutable value. It ignores unknown fields, so an older worker reads a newer value."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
