"""The signature header, against vectors made by hand and, if there, verified ones."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from pagerduty_simulator.signatures import signature_header

VECTORS = Path(__file__).parents[3] / "shared" / "pagerduty" / "signature-vectors.json"


def test_each_live_secret_signs_once() -> None:
    header = signature_header(["new", "old"], b"body")
    expected = [hmac.new(key, b"body", hashlib.sha256).hexdigest() for key in (b"new", b"old")]
    assert header == f"v1={expected[0]},v1={expected[1]}"


def test_the_signature_covers_the_raw_bytes() -> None:
    assert signature_header(["s"], b'{"a":1}') != signature_header(["s"], b'{"a": 1}')


def test_the_verified_vectors_are_met() -> None:
    if not VECTORS.exists():
        pytest.skip("the verified vectors are not on this machine")
    single = [
        vector
        for vector in json.loads(VECTORS.read_text())["vectors"]
        if vector["valid"] and "," not in vector["header"]
    ]
    assert single
    for vector in single:
        assert signature_header(vector["secrets"], vector["body"].encode()) == vector["header"]
