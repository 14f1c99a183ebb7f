"""What is pasted as a signing secret: taken as it was meant, or refused by the name of what it is."""

import json

import pytest

from calmo_pagerduty.webhooks.signing_secrets import InvalidSecret, parse_secret

SECRET = "gKmWjJvP5n8Zc2RtQ0xYb7dLs4hAeUoT9iFpCy1wXq6uEzNaSgVkHrBfM3D"
ID = "wh_" + "abcdefgh234567ij" * 2
KEY = f"calmo_{'a' * 16}_{'b' * 52}_12345678"


def test_a_secret_is_taken_as_it_is() -> None:
    taken = parse_secret(SECRET.encode())
    assert (taken.secret, taken.notes) == (SECRET.encode(), ())
    assert SECRET not in repr(taken)


def test_the_line_break_that_pasting_adds_is_not_worth_a_word() -> None:
    assert parse_secret(f"{SECRET}\r\n".encode()) == parse_secret(SECRET.encode())


@pytest.mark.parametrize("around", ["  {}", "{}\t ", "\ufeff{}", "\u200b{}\u00a0", "\n\n{}\n\n"])
def test_white_space_around_it_is_left_away_and_told_of(around: str) -> None:
    taken = parse_secret(around.format(SECRET).encode())
    assert taken.secret == SECRET.encode()
    assert any("white space" in note for note in taken.notes)


@pytest.mark.parametrize("mark", ["'", '"', "`"])
def test_quotation_marks_around_it_are_left_away_and_told_of(mark: str) -> None:
    taken = parse_secret(f" {mark}{SECRET}{mark} ".encode())
    assert taken.secret == SECRET.encode()
    assert any("quotation marks" in note for note in taken.notes)


@pytest.mark.parametrize("wrap", [True, False])
def test_it_is_taken_out_of_pagerdutys_whole_answer(wrap: bool) -> None:
    subscription = {"id": "P1", "delivery_method": {"url": f"https://c/{ID}", "secret": SECRET}}
    answer = {"webhook_subscription": subscription} if wrap else subscription
    taken = parse_secret(json.dumps(answer, indent=2).encode())
    assert taken.secret == SECRET.encode()
    assert any("answer" in note for note in taken.notes)


@pytest.mark.parametrize(
    ("pasted", "word"),
    [
        ("", "no signing secret"),
        ("  \n ", "no signing secret"),
        ('""', "short"),
        ("short", "short"),
        ("x" * 15, "unreadable"),
        ("y" * 15, "short"),
        ("y" * 600, "too long"),
        (f"{SECRET[:20]} {SECRET[20:]}", "white space within"),
        (f"{SECRET[:20]}\n{SECRET[20:]}", "white space within"),
        (f"{SECRET}ä", "characters"),
        (f"{SECRET}\x07", "characters"),
        ("*" * 40, "unreadable"),
        ("•" * 40, "unreadable"),
        (f"v1={'ab' * 32}", "signature"),
        (f"X-PagerDuty-Signature: v1={'ab' * 32},v1={'cd' * 32}", "signature"),
        (ID, "own address"),
        (f"https://calmo.example.com/webhooks/pagerduty/{ID}", "own address"),
        (f"calmo.example.com/webhooks/pagerduty/{ID}", "own address"),
        ("https://acme.pagerduty.com/integrations", "an address"),
        (KEY, "API key of ours"),
        ("u+AbCdEfGhIjKlMnOpQr", "PagerDuty API key"),
        ("AbCdEfGhIjKlMnOpQr12", "PagerDuty API key"),
        ("Token token=y_NbAkKc66ryYTWUXYEu", "PagerDuty API key"),
        ('{"webhook_subscription": {"delivery_method": {"secret": null}}}', "no secret"),
        ('{"webhook_subscription": [1]}', "no secret"),
        ('{"webhook_subscription": {"del', "only a part"),
        ("{" * 5000, "only a part"),
    ],
)
def test_something_else_is_refused_by_its_name_and_never_repeated(pasted: str, word: str) -> None:
    with pytest.raises(InvalidSecret) as refused:
        parse_secret(pasted.encode())
    said = str(refused.value)
    assert word in said
    assert len(said.splitlines()) == 1
    for part in (SECRET[:20], KEY, "AbCdEfGhIjKlMnOpQr", "abababab", ID):
        assert part not in said


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidSecret, match="not text"):
        parse_secret(b"\xff\xfe" + SECRET.encode())


@pytest.mark.parametrize("secret", ["test-only-secret-A", "secret-from-pagerduty", "0123456789abcdef" * 3])
def test_other_forms_of_secrets_are_tolerated(secret: str) -> None:
    assert parse_secret(secret.encode()).secret == secret.encode()
