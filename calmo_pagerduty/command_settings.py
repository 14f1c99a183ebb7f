"""Reads the settings that a command needs to reach the service, without pydantic.

`settings.Settings` has them too, but its import takes three times as long as all other imports of such
a command.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """The service's address and API key, as the environment states them."""

    data_dir: Path
    #: Where workers show that they work.
    heartbeat_folder: Path
    #: CALMO_URL or CALMO_PUBLIC_URL, without a trailing slash.
    url: str | None
    http_host: str
    http_port: int
    api_key: str | None

    @property
    def http_url(self) -> str:
        """The URL on which the ingress listens on this machine."""
        return f"http://{self.http_host}:{self.http_port}"


def load_command_settings() -> CommandSettings:
    """Read the environment. Raises InvalidSettings, naming the variable."""
    given = {name.upper(): value for name, value in os.environ.items()}
    url = given.get("CALMO_URL") or given.get("CALMO_PUBLIC_URL")
    data_dir = Path(given.get("CALMO_DATA_DIR", ".calmo"))
    return CommandSettings(
        data_dir=data_dir,
        heartbeat_folder=Path(given.get("CALMO_HEARTBEAT_DIR", data_dir)),
        url=url.rstrip("/") if url else None,
        http_host=given.get("CALMO_HTTP_HOST", "127.0.0.1"),
        http_port=_port(given),
        api_key=given.get("CALMO_API_KEY") or None,
    )


def _port(given: Mapping[str, str]) -> int:
    text = given.get("CALMO_HTTP_PORT", "8080")
    if text.isascii() and text.isdigit() and int(text) <= 65535:
        return int(text)
    # Raises the same message as for all other settings. Only a wrong port pays for importing pydantic.
    from calmo_pagerduty.settings import load_settings  # noqa: PLC0415 - imports pydantic

    return load_settings().http_port
