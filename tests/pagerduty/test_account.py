"""Where a token may be sent, and that it shows nowhere."""

import pytest
from pydantic import SecretStr

from calmo_pagerduty.pagerduty.account import Account, base_url
from calmo_pagerduty.pagerduty.errors import InvalidRequest
from calmo_pagerduty.pagerduty.token_kinds import Region, TokenKind


def test_a_region_has_a_fixed_address() -> None:
    assert base_url(Region.US) == "https://api.pagerduty.com"
    assert base_url(Region.EU) == "https://api.eu.pagerduty.com"
    with pytest.raises(InvalidRequest):
        base_url(Region.SIMULATOR)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/", "http://localhost:8000", "http://[::1]:8000", "https://pd.example.com/api"],
)
def test_a_simulator_is_on_this_machine_or_behind_https(url: str) -> None:
    assert base_url(Region.SIMULATOR, url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "https://",
        "https://a@b.example",
        "https://b.example?x=1",
        "https://b.example#x",
        "https://b.example\\@c.example",
        "https://b.example/ x",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "//b.example",
        "https://b.example\n",
        "",
    ],
)
def test_a_token_is_sent_nowhere_else(url: str) -> None:
    with pytest.raises(ValueError, match=r"base URL|https only"):
        base_url(Region.US, url)
    with pytest.raises(ValueError, match=r"base URL|https only"):
        Account(url, SecretStr("t"))


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "tökén"])
def test_what_is_no_token_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ValueError, match="token is empty or has") as raised:
        Account("https://api.pagerduty.com", SecretStr(token))
    assert not token or token not in str(raised.value)


def test_an_account_shows_neither_token_nor_address() -> None:
    account = Account("https://api.pagerduty.com", SecretStr("canary"), TokenKind.OAUTH, "ada@example.com")
    assert "canary" not in f"{account} {account!r}" and "ada" not in f"{account} {account!r}"
    assert account.authorization == "Bearer canary"
    with pytest.raises(ValueError, match="From address"):
        Account("https://api.pagerduty.com", SecretStr("canary"), from_address="a@b\r\nX: y")
