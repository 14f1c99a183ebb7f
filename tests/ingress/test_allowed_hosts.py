"""DNS rebinding: a request for a name that is not ours is refused in words, if our names are listed."""

from pathlib import Path

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from ingress.api.allowed_hosts import is_allowed
from ingress.commands.preparation import UpOptions
from tests.support.doors import open_doorway


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost:8080", True),
        ("LOCALHOST.", True),
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("evil.example#localhost", False),
        ("localhost@evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_only_names_of_ours_and_addresses_are_allowed(host: str, allowed: bool) -> None:
    assert is_allowed(host, {"localhost"}) is allowed


async def test_a_foreign_name_is_refused_everywhere_once_our_names_are_listed(
    database: Database, keyring: Keyring, tmp_path: Path
) -> None:
    settings = {"allowed_hosts": "localhost, oncall.acme.test", "public_url": "https://calmo.acme.test"}
    async with open_doorway(database, keyring, tmp_path, **settings) as doorway:
        for path in ("/api/issues", "/dashboard/sign-in", "/mcp", "/healthz", "/webhooks/pagerduty/x"):
            answer = await doorway.client.get(path, headers={"Host": "evil.example"})
            assert answer.status_code == 421, path
            assert "'evil.example' is no name of this service" in answer.json()["error"]["message"]
        for host in ("oncall.acme.test", "calmo.acme.test:443", "127.0.0.1"):
            answer = await doorway.client.get("/healthz", headers={"Host": host})
            assert answer.status_code == 200, host
    async with open_doorway(database, keyring, tmp_path) as doorway:
        answer = await doorway.client.get("/healthz", headers={"Host": "any.example"})
        assert answer.status_code == 200


def test_up_lists_this_machines_name_unless_somebody_lists_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = UpOptions(tmp_path, 1, 2, 3, 4, demo=False, speed=1.0)
    monkeypatch.delenv("CALMO_ALLOWED_HOSTS", raising=False)
    assert up.environment()["CALMO_ALLOWED_HOSTS"] == "localhost"
    monkeypatch.setenv("CALMO_ALLOWED_HOSTS", "calmo.acme.test")
    assert up.environment()["CALMO_ALLOWED_HOSTS"] == "calmo.acme.test"
