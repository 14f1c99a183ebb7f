"""What a command reads of the environment is what the service reads of it."""

import pytest

from calmo_pagerduty.command_settings import load_command_settings
from calmo_pagerduty.settings import InvalidSettings, load_settings

ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"CALMO_DATA_DIR": "/var/lib/calmo", "CALMO_API_KEY": "calmo_a_b"},
    {"CALMO_HTTP_HOST": "0.0.0.0", "CALMO_HTTP_PORT": "9000"},  # noqa: S104 - nothing listens there
    {"CALMO_HTTP_PORT": "0", "CALMO_HEARTBEAT_DIR": "/run/calmo"},
    {"CALMO_HTTP_PORT": "9000.0"},
    {"CALMO_PUBLIC_URL": "https://calmo.example/"},
    {"CALMO_PUBLIC_URL": "https://calmo.example", "CALMO_URL": "http://inside.example:8080/"},
    {"CALMO_PUBLIC_URL": "", "CALMO_URL": "", "CALMO_API_KEY": ""},
    {"calmo_url": "http://inside.example"},
]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_both_readers_of_the_environment_agree(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    command, service = load_command_settings(), load_settings()
    assert command.data_dir == service.data_dir
    assert command.heartbeat_folder == service.heartbeat_folder
    assert (command.url or command.http_url) == service.api_address
    assert (command.api_key or "") == (service.api_key.get_secret_value() if service.api_key else "")


@pytest.mark.parametrize("port", ["http", "65536", "-1", ""])
def test_a_port_that_is_none_is_refused_in_the_same_words(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALMO_HTTP_PORT", port)
    with pytest.raises(InvalidSettings) as refused:
        load_settings()
    with pytest.raises(InvalidSettings) as refused_to_a_command:
        load_command_settings()
    assert str(refused_to_a_command.value) == str(refused.value)
