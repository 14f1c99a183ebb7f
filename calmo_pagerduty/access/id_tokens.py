"""What a provider says of a person: ID tokens, checked.

Source: OpenID Connect Core 1.0, section 3.1.3.7.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from jwt.types import Options

from calmo_pagerduty.kernel.explained_error import ExplainedError

#: Signatures by a private key. `none` and those by a shared secret (HS256) are not among them.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
#: How far the provider's clock may be from ours.
CLOCK_SKEW_SECONDS = 60
MAX_TOKEN_LENGTH = 100_000
MAX_KEYS = 100

Claims = Mapping[str, Any]


class TokenInvalid(ExplainedError):
    """The provider's answer does not prove who signs in. The message says why."""


class KeyUnknown(TokenInvalid):
    """None of the given keys is seen to have signed the token: the provider may have new ones."""


def read_keys(document: object) -> tuple[jwt.PyJWK, ...]:
    """Return the signing keys of a JWK set. Keys of other kinds are left out. Raises TokenInvalid."""
    found = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise TokenInvalid("the provider's keys can't be read: they are no JWK set")
    keys = []
    for key in found[:MAX_KEYS]:
        if (
            isinstance(key, dict)
            and key.get("use", "sig") == "sig"
            and key.get("kty") in {"RSA", "EC", "OKP"}
        ):
            try:
                keys.append(jwt.PyJWK(key))
            except jwt.PyJWTError:
                continue
    return tuple(keys)


def check_id_token(token: str, keys: Sequence[jwt.PyJWK], issuer: str, client_id: str, nonce: str) -> Claims:
    """Return the claims of a valid ID token. Raises KeyUnknown, TokenInvalid."""
    claims = decode_token(token, keys, issuer, client_id, ["iss", "sub", "aud", "exp", "iat"])
    _check_for_us(claims, client_id)
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise TokenInvalid("the provider's token is not for this sign-in: its nonce is another")
    return claims


def decode_token(
    token: str, keys: Sequence[jwt.PyJWK], issuer: str, client_id: str, required: list[str]
) -> Claims:
    """Return the claims of a token that the provider has signed for us, and that has not expired.

    Raises KeyUnknown, TokenInvalid.
    """
    if len(token) > MAX_TOKEN_LENGTH:
        raise TokenInvalid("the provider's token is too long")
    options: Options = {"require": required, "strict_aud": False}
    try:
        claims: Claims = jwt.decode(
            token,
            _key_of(token, keys),
            algorithms=ALGORITHMS,
            audience=client_id,
            issuer=issuer,
            leeway=CLOCK_SKEW_SECONDS,
            options=options,
        )
    except jwt.ExpiredSignatureError:
        raise TokenInvalid("the provider's token has expired: compare both machines' clocks") from None
    except jwt.InvalidSignatureError:
        # A key without an id may have been replaced.
        raise KeyUnknown("the provider's token is not signed with the provider's key") from None
    except jwt.PyJWTError as error:
        raise TokenInvalid(f"the provider's token is not valid: {error}") from None
    return claims


def _key_of(token: str, keys: Sequence[jwt.PyJWK]) -> jwt.PyJWK:
    header = jwt.get_unverified_header(token)
    if header.get("alg") not in ALGORITHMS:
        raise TokenInvalid("the provider's token is signed by an algorithm that proves nothing here")
    wanted = header.get("kid")
    fitting = [key for key in keys if wanted is None or key.key_id == wanted]
    if not fitting:
        raise KeyUnknown("the provider's token is signed with a key that the provider does not publish")
    if len(fitting) > 1:
        raise KeyUnknown("the provider's token does not say which of several keys signed it")
    return fitting[0]


def _check_for_us(claims: Claims, client_id: str) -> None:
    """Raises TokenInvalid."""
    audience, authorized = claims["aud"], claims.get("azp")
    several = isinstance(audience, list) and len(audience) > 1
    if (several and authorized is None) or (authorized is not None and authorized != client_id):
        raise TokenInvalid("the provider's token was issued to another application")
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
        raise TokenInvalid("the provider's token names nobody")
