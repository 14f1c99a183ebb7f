"""X-PagerDuty-Signature: raw bytes, every value against every live secret, nothing forgiven."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings, strategies as st

from calmo_pagerduty.deliveries.model import SignatureVerdict
from calmo_pagerduty.deliveries.webhook_signature import MAX_SIGNATURES, sign, verify
from tests.support.examples import examples

OLD, NEW = (1, b"the-old-secret"), (2, b"the-new-secret")
BODY = '{"event":{"id":"01","note":"Übergabe"}}'.encode()

#: PagerDuty's own vectors, where they are at hand: they may not be copied into this project.
PUBLISHED = Path(__file__).parents[3] / "shared" / "pagerduty" / "signature-vectors.json"

#: Computed once with openssl dgst -sha256 -hmac, by no code of ours.
KNOWN = (
    (b"key", b"The quick brown fox jumps over the lazy dog",
     "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"),
    (b"", b"", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
)  # fmt: skip


def published() -> list[dict[str, Any]]:
    return list(json.loads(PUBLISHED.read_text())["vectors"]) if PUBLISHED.exists() else []


def v1(secret: bytes, body: bytes = BODY) -> bytes:
    return b"v1=" + hmac.new(secret, body, hashlib.sha256).hexdigest().encode()


@pytest.mark.parametrize(("secret", "body", "digest"), KNOWN)
def test_known_vectors_are_signed_as_they_should_be(secret: bytes, body: bytes, digest: str) -> None:
    assert sign(body, secret) == b"v1=" + digest.encode()


@pytest.mark.skipif(not PUBLISHED.exists(), reason="PagerDuty's published vectors are not at hand")
@pytest.mark.parametrize("vector", published(), ids=lambda vector: str(vector["name"]))
def test_published_vectors_are_judged_as_published(vector: dict[str, Any]) -> None:
    secrets = [(version, secret.encode()) for version, secret in enumerate(vector["secrets"], 1)]
    verdict, _ = verify(vector["body"].encode(), vector["header"].encode(), secrets)
    assert (verdict is SignatureVerdict.MATCH) is vector["valid"]


def test_the_secret_that_matched_is_told() -> None:
    assert verify(BODY, v1(OLD[1]), [NEW, OLD]) == (SignatureVerdict.MATCH, 1)
    assert verify(BODY, v1(NEW[1]), [NEW, OLD]) == (SignatureVerdict.MATCH, 2)


@pytest.mark.parametrize("live", [[OLD], [NEW], [NEW, OLD]])
def test_in_a_rotation_any_signature_matches_any_live_secret(live: list[tuple[int, bytes]]) -> None:
    header = b"%s,%s" % (v1(OLD[1]), v1(NEW[1]))
    assert verify(BODY, header, live)[0] is SignatureVerdict.MATCH


@pytest.mark.parametrize("header", [b" %s", b"%s ", b"v1=00 , %s", b"v1=00,\t%s,", b",, %s", b"v2=ff,%s"])
def test_spaces_at_commas_and_foreign_values_do_no_harm(header: bytes) -> None:
    assert verify(BODY, header % v1(OLD[1]), [OLD])[0] is SignatureVerdict.MATCH


@pytest.mark.parametrize("header", [None, b"", b" ", b",", b" , ,"])
def test_a_header_without_values_is_missing(header: bytes | None) -> None:
    assert verify(BODY, header, [OLD]) == (SignatureVerdict.MISSING, None)


@pytest.mark.parametrize("header", [b"v2=ab", b"V1=ab", b"sha256=ab", b"\xff\xfe", b"v1", b"v2=a, v3=b"])
def test_a_header_without_a_scheme_that_we_know_is_named_so(header: bytes) -> None:
    assert verify(BODY, header, [OLD]) == (SignatureVerdict.UNSUPPORTED_SCHEME, None)


@pytest.mark.parametrize("header", [b"v1=", b"v1=\xff\xfe", b"v1=zz", b"v1=" + b"0" * 100_000])
def test_what_is_no_digest_is_a_mismatch_and_no_error(header: bytes) -> None:
    assert verify(BODY, header, [OLD]) == (SignatureVerdict.MISMATCH, None)


def test_upper_case_hex_is_refused() -> None:
    good = v1(OLD[1])
    assert verify(BODY, b"v1=" + good[3:].upper(), [OLD])[0] is SignatureVerdict.MISMATCH


def test_without_a_live_secret_nothing_matches() -> None:
    assert verify(BODY, v1(b""), []) == (SignatureVerdict.MISMATCH, None)


def test_the_ninth_signature_is_not_looked_at() -> None:
    wrong = [b"v1=%064x" % number for number in range(MAX_SIGNATURES)]
    assert verify(BODY, b",".join([*wrong[1:], v1(OLD[1])]), [OLD])[0] is SignatureVerdict.MATCH
    assert verify(BODY, b",".join([*wrong, v1(OLD[1])]), [OLD])[0] is SignatureVerdict.MISMATCH


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=300), st.binary(min_size=1, max_size=80))
def test_what_was_signed_with_the_secret_is_accepted(body: bytes, secret: bytes) -> None:
    assert verify(body, v1(secret, body), [NEW, (7, secret)]) == (SignatureVerdict.MATCH, 7)


@settings(max_examples=examples(200), deadline=None)
@given(st.data(), st.binary(min_size=1, max_size=200))
def test_one_flipped_bit_of_body_or_signature_is_refused(data: st.DataObject, body: bytes) -> None:
    header = v1(OLD[1], body)
    target = data.draw(st.sampled_from(["body", "header"]))
    original = body if target == "body" else header
    at = data.draw(st.integers(0 if target == "body" else 3, len(original) - 1))
    altered = bytearray(original)
    altered[at] ^= 1 << data.draw(st.integers(0, 7))
    if target == "body":
        verdict, version = verify(bytes(altered), header, [NEW, OLD])
    else:
        verdict, version = verify(body, bytes(altered), [NEW, OLD])
    assert (verdict, version) == (SignatureVerdict.MISMATCH, None)


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=200))
def test_no_header_of_chance_is_accepted_or_raises(header: bytes) -> None:
    assume(v1(OLD[1]) not in header)
    verdict, version = verify(BODY, header, [NEW, OLD])
    assert verdict is not SignatureVerdict.MATCH
    assert version is None
