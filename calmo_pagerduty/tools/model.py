"""The row of a tool, from which every channel, the permissions and the documentation are built."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict

from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.pagerduty.requests import Plan
from calmo_pagerduty.tools.classes import Access, Category, Risk


class Arguments(FrozenModel):
    """The base of every tool's arguments. It refuses unknown fields, so that a typo is noticed."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True
    )

    @property
    def personal_data_of(self) -> str | None:
        """The id of the user whose addresses and numbers are asked for unmasked; None if nobody's are."""
        return None


class CallContext(FrozenModel):
    """What a tool's plan needs to know about its call, in addition to the arguments."""

    #: The call's id, which all attempts share. Markers and idempotency keys derive from it.
    id: str
    #: The time of the call, in UTC.
    now: datetime
    #: True if an earlier attempt may have taken effect: a write then looks for its effect first.
    repeated: bool = False
    #: The start of the first attempt that may have taken effect, in UTC.
    first_attempt_at: datetime
    #: PagerDuty user id our token acts as; None if unknown.
    agent_id: str | None = None
    #: The email address of the PagerDuty user in whose name the connection writes (header `From`).
    from_address: str | None = None


class Shape(StrEnum):
    """The shape of a result: `items` with `next` and `notes`, one object, or a report's text."""

    LIST = "list"
    OBJECT = "object"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table for people: `path` selects an item's value, such as `service.summary`."""

    title: str
    path: str


@dataclass(frozen=True, slots=True)
class Tool:
    """One row of the catalogue."""

    name: str
    title: str
    description: str
    category: Category
    access: Access
    risk: Risk
    arguments: type[Arguments]
    plan: Callable[[Any, CallContext], Plan]
    shape: Shape
    columns: tuple[Column, ...]
    #: The operationIds of PagerDuty's REST API that a call may use. Source: PagerDuty's OpenAPI document.
    operations: tuple[str, ...]
    #: OAuth scopes that a token needs for it.
    scopes: tuple[str, ...]
    #: PagerDuty's abilities that the account's plan must have.
    abilities: tuple[str, ...] = ()
    #: True if a second identical call changes nothing further.
    idempotent: bool = True
    #: True if it may undo or replace what people set up, not only add to it.
    destructive: bool = False
    #: True if PagerDuty's answer holds people's texts, which an agent must not take for instructions.
    untrusted: bool = True
    #: True if it takes long: each call is a workflow, and its caller gets a ticket.
    durable: bool = False

    @property
    def writes(self) -> bool:
        """True if the tool changes something at PagerDuty."""
        return self.access is Access.WRITE
