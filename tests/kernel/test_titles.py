"""Titles without what differs each time, and fingerprints."""

import uuid

from hypothesis import given, strategies as st

from calmo_pagerduty.kernel.titles import MAX_TITLE_LENGTH, fingerprint, mask_title, stable_key

WORDS = st.text(st.characters(whitelist_categories=["Ll"], max_codepoint=0x17F), min_size=1, max_size=12)
MOVING = st.one_of(
    st.uuids().map(str),
    st.integers(0, 2**40).map(str),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str).filter(lambda address: address != "::" and "." not in address),
    st.integers(2**36, 2**64).map(hex),
    st.floats(0, 1000, allow_nan=False).map(lambda number: f"{number:.2f}"),
)


@given(before=WORDS, after=WORDS, moving=MOVING, other=MOVING)
def test_titles_that_differ_in_ids_addresses_and_numbers_only_are_one(
    before: str, after: str, moving: str, other: str
) -> None:
    assert (
        mask_title(f"{before} {moving} {after}")
        == mask_title(f"{before} {other} {after}")
        == mask_title(f"{before} # {after}")
    )


def test_what_is_masked_is_masked_within_words_too() -> None:
    assert mask_title("High CPU 97.5% on web-12.prod (10.0.0.1:8080)") == "high cpu #% on web-#.prod (#)"
    assert mask_title("disk i-0b148d1040d565540 at 2026-08-14T10:00:00Z") == "disk i-# at #-#-#t#:#:#z"
    assert mask_title("2001:db8::1 down 0xDEAD job 123E4567-e89b-12d3-a456-426614174000") == "# down # job #"


def test_words_of_hexadecimal_letters_are_words() -> None:
    assert mask_title("deadbeef facade defaced") == "deadbeef facade defaced"


def test_titles_in_any_language_are_masked() -> None:
    assert mask_title("磁盘 97% 已满 🔥 db-3") == "磁盘 #% 已满 🔥 db-#"
    assert mask_title("دیسک ۳۴ پر شد") == mask_title("دیسک ۹۹ پر شد")
    assert mask_title("STRASSE 1") == mask_title("straße 2")


def test_what_hides_in_a_title_makes_no_difference() -> None:
    assert mask_title("disk\u200b full\u202e 7") == mask_title("disk full 8")


@given(st.text(max_size=3 * MAX_TITLE_LENGTH))
def test_any_text_can_be_masked_and_stays_short(text: str) -> None:
    shown = mask_title(text)
    assert not any(character.isdecimal() for character in shown)
    assert shown == shown.strip() and "\n" not in shown


def test_a_key_tells_the_kind_unless_it_was_made_for_one_occasion() -> None:
    assert stable_key("web-12/disk") == "web-12/disk"
    assert stable_key(str(uuid.UUID(int=7))) is None
    assert stable_key("event-1755165600123") is None
    assert stable_key("d41d8cd98f00b204e9800998ecf8427e") is None
    assert stable_key("  ") is None and stable_key(None) is None


def test_a_fingerprint_is_of_the_key_else_of_service_and_title() -> None:
    by_key = fingerprint("S1", "web/disk", "disk #")
    assert by_key == fingerprint("S1", "web/disk", "anything")
    assert by_key != fingerprint("S2", "web/disk", "disk #")
    by_title = fingerprint("S1", None, "disk #")
    assert by_title == fingerprint("S1", str(uuid.UUID(int=9)), "disk #")
    assert by_title != fingerprint("S2", None, "disk #")
    assert len(by_title) == 16 and "disk" not in by_title
