"""PagerDuty's service regions and kinds of tokens."""

from enum import StrEnum


class Region(StrEnum):
    """The service region of an account. The other region refuses its tokens with 401."""

    US = "us"
    EU = "eu"
    #: The simulator that this instance is configured with.
    SIMULATOR = "simulator"


class TokenKind(StrEnum):
    """How a token authenticates. It decides the form of the Authorization header."""

    #: A REST API key of the account or of a user.
    API_TOKEN = "api_token"  # noqa: S105 - a kind, not a token
    OAUTH = "oauth"
