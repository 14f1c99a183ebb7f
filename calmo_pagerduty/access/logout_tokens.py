"""A provider's word that somebody has signed out there: logout tokens, checked.

Source: OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.6.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt

from calmo_pagerduty.access.id_tokens import CLOCK_SKEW_SECONDS, Claims, TokenInvalid, decode_token

#: The event that makes a token a logout token.
EVENT = "http://schemas.openid.net/event/backchannel-logout"
#: A token that was issued longer ago ends nothing. So a used token is remembered for no longer.
MAX_AGE = timedelta(minutes=10)
SKEW = timedelta(seconds=CLOCK_SKEW_SECONDS)
MAX_ID_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Logout:
    """What a logout token says: whose sessions end, or which one. At least one of the two is given.

    `token_id` is good once, until `expires_at` (UTC).
    """

    token_id: str
    subject: str | None
    session_id: str | None
    expires_at: datetime


def check_logout_token(
    token: str, keys: Sequence[jwt.PyJWK], issuer: str, client_id: str, now: datetime
) -> Logout:
    """Return what a valid logout token says. Raises KeyUnknown, TokenInvalid."""
    required = ["iss", "aud", "iat", "exp", "jti", "events"]
    claims = decode_token(token, keys, issuer, client_id, required)
    events = claims["events"]
    if not isinstance(events, Mapping) or not isinstance(events.get(EVENT), Mapping):
        raise TokenInvalid("the provider's token does not say that somebody signed out")
    if "nonce" in claims:
        # An ID token with an event in it must not end sessions.
        raise TokenInvalid("the provider's token has a nonce, so it is for signing in")
    if now.timestamp() - float(claims["iat"]) > (MAX_AGE + SKEW).total_seconds():
        raise TokenInvalid("the provider's token was issued too long ago")
    subject, session_id = _text(claims, "sub"), _text(claims, "sid")
    token_id = _text(claims, "jti")
    if token_id is None or (subject is None and session_id is None):
        raise TokenInvalid("the provider's token names neither a person nor a session")
    return Logout(token_id, subject, session_id, now + MAX_AGE + 2 * SKEW)


def _text(claims: Claims, name: str) -> str | None:
    """Return a claim; None if it is not there. Raises TokenInvalid."""
    value = claims.get(name)
    if value is not None and (not isinstance(value, str) or not 0 < len(value) <= MAX_ID_LENGTH):
        raise TokenInvalid(f"the provider's token has a {name} that can't be read")
    return value
