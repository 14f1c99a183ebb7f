"""The only reader of the environment: one typed object, built at start and passed in.

Temporal's own address, namespace, TLS and API key are read from Temporal's own variables
(TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, …): see `temporal_client`.
"""

import socket
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from calmo_pagerduty.kernel.explained_error import ExplainedError

if TYPE_CHECKING:
    from calmo_pagerduty.db.encryption import Keyring


class InvalidSettings(ExplainedError):
    """The environment holds a setting that can't be used; the message names it."""


class Settings(BaseSettings):
    """Every setting of ours, as `CALMO_` and its name in capitals in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="CALMO_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    data_dir: Path = Path(".calmo")
    #: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME. Default: SQLite in the data folder.
    database_url: SecretStr | None = None
    #: `NAME:BASE64` master keys, the first one seals. Default: a key file.
    encryption_keys: SecretStr | None = None
    #: Where the master keys are kept if they are not given; made on first run, readable by its owner only.
    encryption_key_file: Path | None = None

    #: The key that our own command line uses. Default: the file `api_key` of the data folder.
    api_key: SecretStr | None = None

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    #: How PagerDuty and people reach the ingress, without a slash at the end.
    public_url: str | None = None
    #: Where the command line finds the ingress, if that is not the public address.
    url: str | None = None
    #: Where people see workflows: the address of the Temporal UI.
    temporal_ui_url: str = "http://127.0.0.1:8233"
    #: Deliveries a second that one webhook may send, and how many at once, before it is answered 429.
    webhook_rate: Annotated[float, Field(gt=0)] = 1000.0
    webhook_burst: Annotated[int, Field(gt=0)] = 4000

    #: The address of a simulated PagerDuty, for connections of the region `simulator`.
    simulator_url: str | None = None

    task_queue: str = "calmo-pagerduty"
    #: How long a resolved incident's workflow waits for a reopening before it completes.
    complete_after: timedelta = timedelta(hours=24)
    #: History events after which an incident's workflow continues as new.
    continue_as_new_after: Annotated[int, Field(ge=20, le=20_000)] = 250
    #: Gather an incident's context when it begins, is reopened, becomes more severe, or changes its service.
    gather_context: bool = True
    #: Check workflow code against the sandbox in this worker too (tests always do).
    workflow_sandbox: bool = False
    workflow_slots: Annotated[int, Field(ge=2, le=200)] = 8
    #: Calls to PagerDuty at once in a worker.
    pagerduty_slots: Annotated[int, Field(ge=1, le=1000)] = 24
    cached_workflows: Annotated[int, Field(ge=0)] = 6000
    #: How long a killed worker's incidents wait before another worker gets them.
    sticky_timeout: timedelta = timedelta(seconds=1.5)
    #: What was forwarded must be on a timeline within this time, else it is sent again.
    confirm_after: timedelta = timedelta(seconds=30)
    #: How long the bodies of deliveries and the results of tool calls are kept.
    keep_bodies: Annotated[timedelta, Field(ge=timedelta(days=3))] = timedelta(days=30)
    #: How long it is kept that a delivery came and how it ended, and that one was refused.
    keep_ids: Annotated[timedelta, Field(ge=timedelta(days=3))] = timedelta(days=400)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"

    @property
    def database(self) -> str:
        """The database's URL. It may hold a password: never log it."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'calmo.db'}"

    @property
    def public_address(self) -> str:
        """How PagerDuty reaches the ingress."""
        return (self.public_url or f"http://{self.http_host}:{self.http_port}").rstrip("/")

    @property
    def api_address(self) -> str:
        """How our own command line reaches it."""
        return (self.url or self.public_address).rstrip("/")

    @property
    def instance(self) -> str:
        """What this process calls itself when it takes a lease: the same after a restart."""
        return f"{socket.gethostname()}:{self.http_port}"

    def keyring(self) -> "Keyring":
        """Return the master keys, made on first run if none are configured. Raises KeyProblem."""
        # The store comes with it, which who only wants to know an address should not wait for.
        from calmo_pagerduty.db.encryption import load_or_create_keys, parse_keys  # noqa: PLC0415 - slow

        if self.encryption_keys is not None:
            return parse_keys(self.encryption_keys.get_secret_value())
        return load_or_create_keys(self.encryption_key_file or self.data_dir / "master_key")


def load_settings(**given: object) -> Settings:
    """Read the environment; what is given wins over it. Raises InvalidSettings, naming the variable."""
    wins = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**wins)  # type: ignore[arg-type]  # Settings itself checks them
    except ValidationError as error:
        problems = "; ".join(
            f"CALMO_{'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors()
        )
        raise InvalidSettings(problems) from None
