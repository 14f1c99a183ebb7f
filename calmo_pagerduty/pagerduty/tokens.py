"""A connection: one PagerDuty account in one scope, as everybody but PagerDuty may see it."""

from datetime import datetime

from calmo_pagerduty.kernel.model import FrozenModel


class TokenInfo(FrozenModel):
    """What is known of a token. None is not known: PagerDuty doesn't tell, or it was never asked."""

    tested_at: datetime | None = None
    #: Whether it is a user's token (True) or the account's.
    of_a_user: bool | None = None
    #: The user's base role, such as `admin` or `read_only_user`.
    role: str | None = None
    #: Only a refused write tells.
    read_only: bool = False
    abilities: frozenset[str] | None = None
    #: The scopes that an OAuth token was granted.
    scopes: frozenset[str] | None = None
