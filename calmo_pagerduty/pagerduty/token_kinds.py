"""Where a token counts, and which kind it is."""

from enum import StrEnum


class Region(StrEnum):
    """Where an account lives. The other region refuses its tokens with 401."""

    US = "us"
    EU = "eu"
    #: Not PagerDuty at all, but the simulator that this instance is set up with.
    SIMULATOR = "simulator"


class TokenKind(StrEnum):
    #: A REST API key, of the account or of a user.
    API_TOKEN = "api_token"  # noqa: S105
    OAUTH = "oauth"
