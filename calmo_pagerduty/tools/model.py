"""What a tool is: one row, from which every face, the permissions and the documentation are made."""

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
    """The base of every tool's arguments: an unknown field is refused, so a typing error is seen."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True
    )


class CallContext(FrozenModel):
    """What a tool's plan must know about the call it is made for, beside its arguments."""

    #: The call's own id: the same however often it is repeated. Markers and keys are made from it.
    id: str
    #: When the call is made, in UTC.
    now: datetime
    #: Whether an earlier attempt may have taken effect: what can't be repeated is looked for first.
    repeated: bool = False
    #: When the first attempt was made that may have taken effect, in UTC.
    first_attempt_at: datetime
    #: The user as whom PagerDuty knows what we write; None isn't known.
    agent_id: str | None = None
    #: The connection's address of a PagerDuty user, in whose name writes are made.
    from_address: str | None = None


class Shape(StrEnum):
    """What a result is: `items` with `next` and `notes`, one object, or a text."""

    LIST = "list"
    OBJECT = "object"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a readable table: `path` leads into an item, such as `service.summary`."""

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
    #: PagerDuty's operationIds that a call may use, as documented.
    operations: tuple[str, ...]
    #: OAuth scopes that a token needs for it.
    scopes: tuple[str, ...]
    #: PagerDuty's abilities that the account's plan must have.
    abilities: tuple[str, ...] = ()
    #: Whether a second identical call changes nothing further.
    idempotent: bool = True
    #: Whether it may undo or replace what people set up, not only add to it.
    destructive: bool = False
    #: Whether PagerDuty's answer holds people's texts, which an agent must not take for instructions.
    untrusted: bool = True
    #: Whether it takes long: it always is a workflow, and its caller gets a ticket.
    durable: bool = False

    @property
    def writes(self) -> bool:
        return self.access is Access.WRITE
