"""Find the service that runs on this machine: its data folder, its address and its first API key."""

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calmo_pagerduty.command_settings import load_command_settings
from calmo_pagerduty.kernel.explained_error import ExplainedError

if TYPE_CHECKING:
    from calmo_pagerduty.clients.rest import ApiClient
    from calmo_pagerduty.settings import Settings

INSTANCE_FILE = "instance.json"
API_KEY_FILE = "api_key"


class NoInstance(ExplainedError):
    """No service or several services were found. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A running `up`, with its data folder and its addresses."""

    data_dir: str
    url: str
    temporal_address: str
    temporal_ui_url: str
    pid: int
    #: The address of webhooks, if it is not `url`.
    webhook_url: str | None = None

    def is_alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def announce(instance: Instance) -> None:
    """Write the files by which other commands find this service."""
    text = json.dumps(asdict(instance), indent=2)
    (Path(instance.data_dir) / INSTANCE_FILE).write_text(text)
    with _without_home():
        _registry().mkdir(parents=True, exist_ok=True)
        _registered(instance).write_text(text)


def withdraw(instance: Instance) -> None:
    with contextlib.suppress(OSError):
        (Path(instance.data_dir) / INSTANCE_FILE).unlink()
    with _without_home():
        _registered(instance).unlink()


def find_instance(data_dir: Path | None) -> Instance | None:
    """Return the service of this data folder, else the only running service. Raises NoInstance."""
    if data_dir is not None:
        return _read(data_dir / INSTANCE_FILE)
    here = _read(load_command_settings().data_dir / INSTANCE_FILE)
    if here is not None or "CALMO_DATA_DIR" in os.environ:
        return here
    running: list[Instance] = []
    with _without_home():
        running = [instance for path in sorted(_registry().glob("*.json")) if (instance := _read(path))]
    if len(running) > 1:
        folders = ", ".join(instance.data_dir for instance in running)
        raise NoInstance(f"several services are running ({folders}): choose one of them with --data-dir")
    return running[0] if running else None


def settings_for(data_dir: Path | None) -> "Settings":
    """Return all settings of the service, or of the environment if no service runs.

    Raises InvalidSettings, NoInstance.
    """
    # pydantic is slow to import, and a command that only calls the REST API does not need it.
    from calmo_pagerduty.settings import load_settings  # noqa: PLC0415 - imports pydantic

    instance = find_instance(data_dir)
    if instance is None:
        return load_settings(data_dir=data_dir)
    host, port = instance.url.removeprefix("http://").rsplit(":", 1)
    return load_settings(
        data_dir=Path(instance.data_dir),
        http_host=host,
        http_port=int(port),
        temporal_ui_url=instance.temporal_ui_url,
        webhook_url=instance.webhook_url,
    )


def api_address(data_dir: Path | None) -> tuple[str, str]:
    """Return URL and API key: from CALMO_URL and CALMO_API_KEY, else from the service.

    Raises InvalidSettings, NoInstance.
    """
    environment = load_command_settings()
    instance = find_instance(data_dir)
    folder = Path(instance.data_dir) if instance else data_dir or environment.data_dir
    key = environment.api_key
    if key is None:
        try:
            key = (folder / API_KEY_FILE).read_text(errors="replace").strip()
        except OSError:
            raise NoInstance(
                f"no API key: {folder / API_KEY_FILE} can't be read; "
                "name the folder with --data-dir or give CALMO_URL and CALMO_API_KEY"
            ) from None
    return environment.url or (instance.url if instance else environment.http_url), key


def client_of(data_dir: Path | None) -> "ApiClient":
    """Return the client of that service's REST API. Raises NoInstance, ApiProblem."""
    # The HTTP client is slow to import, and neither --help nor the error of a missing key needs it.
    address, api_key = api_address(data_dir)
    from calmo_pagerduty.clients.rest import ApiClient  # noqa: PLC0415 - imports httpx

    return ApiClient(address, api_key)


def _read(path: Path) -> Instance | None:
    try:
        instance = Instance(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return instance if instance.is_alive() else None


def _without_home() -> contextlib.AbstractContextManager[None]:
    """Ignore errors of a home folder that does not exist or is not writable."""
    return contextlib.suppress(OSError, RuntimeError)


def _registry() -> Path:
    """Return the folder of running services' files. Raises RuntimeError if the user has no home folder."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "calmo-pagerduty" / "instances"


def _registered(instance: Instance) -> Path:
    return _registry() / f"{hashlib.sha256(instance.data_dir.encode()).hexdigest()[:16]}.json"
