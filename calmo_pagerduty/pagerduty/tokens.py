"""Facts about a PagerDuty token, without the token itself."""

from datetime import datetime

from calmo_pagerduty.kernel.model import FrozenModel


class TokenInfo(FrozenModel):
    """What a test found out about a token. None means unknown. `tested_at` is UTC."""

    tested_at: datetime | None = None
    #: True for a user's token, False for the account's.
    of_a_user: bool | None = None
    #: The user's base role, such as `admin` or `read_only_user`.
    role: str | None = None
    #: True after PagerDuty has refused a write because the key is read-only.
    read_only: bool = False
    abilities: frozenset[str] | None = None
    #: The scopes that an OAuth token was granted.
    scopes: frozenset[str] | None = None
