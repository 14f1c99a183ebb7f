"""Which logout tokens of a provider are believed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from joserfc import jwk, jws

from calmo_pagerduty.access.id_tokens import KeyUnknown, TokenInvalid
from calmo_pagerduty.access.logout_tokens import EVENT, Logout, check_logout_token

ISSUER = "https://idp.example"
Claims = dict[str, Any]
OURS, OTHER = (jwk.RSAKey.generate_key(2048, {"kid": kid, "use": "sig"}) for kid in ("ours", "other"))


def checked(
    change: Callable[[Claims], Claims] = lambda claims: claims,
    key: jwk.RSAKey = OURS,
    algorithm: str = "RS256",
    later: timedelta = timedelta(),
) -> Logout:
    """Check a valid token, changed so, at a later time."""
    now = datetime.now(UTC)
    at = int(now.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": ["calmo", "another"],
        "iat": at,
        "exp": at + 3600,
        "jti": "t1",
        "sub": "ada",
        "sid": "S1",
        "events": {EVENT: {}},
    }
    header = {"alg": algorithm, "kid": "ours", "typ": "logout+jwt"}
    token = jws.serialize_compact(header, json.dumps(change(claims)).encode(), key)
    keys = (jwt.PyJWK(OURS.as_dict(private=False)),)
    return check_logout_token(token, keys, ISSUER, "calmo", now + later)


def without(*names: str) -> Callable[[Claims], Claims]:
    return lambda claims: {name: value for name, value in claims.items() if name not in names}


def test_a_token_names_a_person_a_session_or_both() -> None:
    both = checked()
    assert (both.token_id, both.subject, both.session_id) == ("t1", "ada", "S1")
    assert checked(without("sid")).session_id is None
    assert checked(without("sub")).subject is None


@pytest.mark.parametrize(
    "change",
    [
        without("sub", "sid"),
        *(without(name) for name in ("iss", "aud", "iat", "exp", "jti", "events")),
        lambda claims: {**claims, "nonce": "n"},
        lambda claims: {**claims, "iss": "https://evil.example"},
        lambda claims: {**claims, "aud": "another"},
        lambda claims: {**claims, "exp": claims["iat"] - 3600},
        lambda claims: {**claims, "iat": claims["iat"] + 3600},
        lambda claims: {**claims, "events": {"http://schemas.openid.net/event/other": {}}},
        lambda claims: {**claims, "events": [EVENT]},
        lambda claims: {**claims, "events": {EVENT: "yes"}},
        lambda claims: {**claims, "sub": ""},
        lambda claims: {**claims, "sid": "x" * 256},
        lambda claims: {**claims, "jti": 7},
    ],
)
def test_a_token_that_does_not_say_all_of_it_ends_nothing(change: Callable[[Claims], Claims]) -> None:
    with pytest.raises(TokenInvalid):
        checked(change)


def test_a_token_of_another_key_or_of_long_ago_ends_nothing() -> None:
    with pytest.raises(KeyUnknown):
        checked(key=OTHER)
    with pytest.raises(TokenInvalid, match="too long ago"):
        checked(later=timedelta(minutes=12))
    assert checked(later=timedelta(minutes=9)).token_id == "t1"
