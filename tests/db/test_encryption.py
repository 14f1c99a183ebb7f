"""Secrets at rest: they open in their own place, with their own key, unaltered, and nowhere else."""

import base64
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings, strategies as st

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import (
    CannotDecrypt,
    CellAddress,
    KeyProblem,
    Keyring,
    load_or_create_keys,
    parse_keys,
)
from tests.support.doors import make_webhook
from tests.support.patience import EVENTUALLY, PROGRAM

pytestmark = pytest.mark.each_database

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
KEYRING = Keyring({"old": OLD})
PLACE = CellAddress("webhook_secrets", "sealed", "personal:robin", "wh_1", 1)
ELSEWHERE = [
    replace(PLACE, table="connections"),
    replace(PLACE, column="token"),
    replace(PLACE, scope="personal:kim"),
    replace(PLACE, row="wh_2"),
    replace(PLACE, version=2),
    # The same text, parted at another point.
    replace(PLACE, scope="personal:robinwh_", row="1"),
]


def text_of(**keys: bytes) -> str:
    return ",".join(f"{kid}:{base64.b64encode(key).decode()}" for kid, key in keys.items())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=500))
def test_what_is_sealed_opens_again_and_is_not_to_be_read_meanwhile(secret: bytes) -> None:
    sealed = KEYRING.seal(secret, PLACE)
    assert KEYRING.open(sealed, PLACE) == secret
    assert len(secret) < 4 or secret not in sealed


def test_the_same_secret_never_looks_the_same_twice() -> None:
    assert len({KEYRING.seal(b"secret", PLACE) for _ in range(50)}) == 50


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_a_secret_does_not_open_in_another_place(elsewhere: CellAddress) -> None:
    with pytest.raises(CannotDecrypt):
        KEYRING.open(KEYRING.seal(b"secret", PLACE), elsewhere)


def test_no_flipped_bit_goes_unnoticed() -> None:
    sealed = KEYRING.seal(b"secret", PLACE)
    for at in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[at // 8] ^= 1 << at % 8
        with pytest.raises(CannotDecrypt):
            KEYRING.open(bytes(altered), PLACE)


def test_no_shortened_or_lengthened_value_opens() -> None:
    sealed = KEYRING.seal(b"secret", PLACE)
    for altered in (*(sealed[:end] for end in range(len(sealed))), sealed + b"\0"):
        with pytest.raises(CannotDecrypt):
            KEYRING.open(altered, PLACE)


def test_a_wrong_key_and_an_unknown_one_are_refused() -> None:
    sealed = KEYRING.seal(b"secret", PLACE)
    for keyring in (Keyring({"old": NEW}), Keyring({"new": OLD})):
        with pytest.raises(CannotDecrypt):
            keyring.open(sealed, PLACE)


def test_after_a_rotation_the_new_key_seals_and_the_old_one_still_opens() -> None:
    both = Keyring({"new": NEW, "old": OLD})
    assert both.open(KEYRING.seal(b"secret", PLACE), PLACE) == b"secret"
    assert Keyring({"new": NEW}).open(both.seal(b"secret", PLACE), PLACE) == b"secret"


def test_a_keyring_shows_no_key() -> None:
    assert repr(KEYRING) == "Keyring(old)"


def test_keys_are_read_by_name_and_the_first_seals() -> None:
    keyring = parse_keys(text_of(new=NEW, old=OLD) + "\n")
    assert repr(keyring) == "Keyring(new, old)"
    assert keyring.open(KEYRING.seal(b"secret", PLACE), PLACE) == b"secret"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "k1",
        "k1:",
        "k1:!!",
        "k1:é",
        text_of(k1=b"short"),
        f":{text_of(x=OLD)[2:]}",
        text_of(**{"a b": OLD}),
    ],
)
def test_text_that_holds_no_keys_is_named_a_key_problem(text: str) -> None:
    with pytest.raises(KeyProblem):
        parse_keys(text)


def test_the_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "master_key"
    sealed = load_or_create_keys(path).seal(b"secret", PLACE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_keys(path).open(sealed, PLACE) == b"secret"
    assert [child.name for child in path.parent.iterdir()] == ["master_key"]


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master_key"
    load_or_create_keys(path)
    path.chmod(0o640)
    with pytest.raises(KeyProblem, match="chmod 600"):
        load_or_create_keys(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"k1:AAAA"])
def test_a_key_file_that_is_none_is_named_a_key_problem(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master_key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyProblem):
        load_or_create_keys(path)


def test_a_draft_left_by_a_crash_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f"master_key.{os.getpid()}.new").write_text("half")
    load_or_create_keys(tmp_path / "master_key")


MAKE_KEY = """
import sys, pathlib
from calmo_pagerduty.db.encryption import load_or_create_keys
sys.stdin.read(1)
load_or_create_keys(pathlib.Path(sys.argv[1]))
print(pathlib.Path(sys.argv[1]).read_text())
"""


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "master_key"
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE_KEY, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("!")
        starter.stdin.flush()
    read = {starter.communicate(timeout=PROGRAM)[0].strip() for starter in starters}
    assert [starter.returncode for starter in starters] == [0, 0]
    assert read == {path.read_text().strip()}


def test_the_right_key_passes_at_start_as_often_as_one_likes(database: Database) -> None:
    for _ in range(2):
        database.write_blocking(KEYRING.check)


def test_two_that_start_at_once_both_pass(database: Database) -> None:
    together = threading.Barrier(2)

    def start(_: int) -> None:
        def check(connection: sa.Connection) -> None:
            if connection.dialect.name == "postgresql":
                together.wait(EVENTUALLY)
            KEYRING.check(connection)

        database.write_blocking(check)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(start, range(2))) == [None, None]


def test_a_wrong_key_is_named_at_start(database: Database) -> None:
    database.write_blocking(KEYRING.check)
    with pytest.raises(KeyProblem, match="'old' is not the one"):
        database.write_blocking(Keyring({"old": NEW}).check)


def test_a_key_that_is_still_needed_is_missed_at_start(database: Database) -> None:
    database.write_blocking(KEYRING.check)
    new = Keyring({"new": NEW})
    database.write_blocking(new.check)
    make_webhook(database, KEYRING)
    with pytest.raises(KeyProblem, match="'old' is missing"):
        database.write_blocking(new.check)
    database.write_blocking(lambda c: c.execute(sa.delete(tables.webhook_secrets)))
    database.write_blocking(new.check)
