"""Settings from the environment: one typed object, built at start and passed on.

Temporal's address, namespace, TLS and API key come from Temporal's own variables
(TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, …): see `calmo_pagerduty.temporal.client`.
"""

import secrets
import socket
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from calmo_pagerduty.kernel.explained_error import ExplainedError

if TYPE_CHECKING:
    from calmo_pagerduty.db.encryption import Keyring


class InvalidSettings(ExplainedError):
    """A setting in the environment is invalid. The message names it."""


class Settings(BaseSettings):
    """All our settings. In the environment, `CALMO_` precedes the name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="CALMO_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    data_dir: Path = Path(".calmo")
    #: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME. Default: SQLite in the data folder.
    database_url: SecretStr | None = None
    #: Master keys as `NAME:BASE64`; the first key seals. Default: a key file.
    encryption_keys: SecretStr | None = None
    #: The master keys' file if they are not set. The first run creates it, readable by its owner only.
    encryption_key_file: Path | None = None

    #: The API key of our command line. Default: the file `api_key` in the data folder.
    api_key: SecretStr | None = None

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    #: The URL of the ingress for PagerDuty and people.
    public_url: str | None = None
    #: The URL of the door for PagerDuty, if it differs from the public URL.
    webhook_url: str | None = None
    #: The URL of the ingress for the command line, if it differs from the public URL.
    url: str | None = None
    #: The host names that requests may be for, with commas between; empty means any. Our own addresses' names
    #: and IP addresses are always allowed.
    allowed_hosts: str = ""
    #: The URL of the Temporal UI.
    temporal_ui_url: str = "http://127.0.0.1:8233"
    #: Connections of one address, also of a proxy: a further one closes one that waits.
    connections_per_peer: Annotated[int, Field(ge=1)] = 500
    #: Deliveries per second of one connection, and the burst, above which a door answers 429.
    webhook_rate: Annotated[float, Field(gt=0)] = 50.0
    webhook_burst: Annotated[int, Field(gt=0)] = 1000

    #: The OpenID provider through which people sign in to the dashboard, exactly as it names itself.
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    #: The client's secret at the provider. A public client has none: PKCE protects both kinds.
    oidc_client_secret: SecretStr | None = None
    oidc_scopes: str = "openid profile email"
    #: The claim that lists a person's groups.
    oidc_groups_claim: str = "groups"
    #: Role and scopes by group, as JSON: {"sre": "lead organization:acme", "ops": "operator"}.
    oidc_group_roles: dict[str, str] = Field(default_factory=dict)
    #: The claim that says who a person is here, such as one with PagerDuty's id of the user.
    oidc_person_claim: str = "sub"
    #: A session of a person ends so long after the sign-in.
    oidc_session: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=7))] = timedelta(hours=12)

    #: The URL of a simulated PagerDuty, for connections of the region `simulator`.
    simulator_url: str | None = None

    task_queue: str = "calmo-pagerduty"
    #: Accept approvals from the Temporal UI, where nobody checks who sends them. The audit says "unverified".
    operator_approvals: bool = False
    #: How long a resolved incident's workflow waits for a reopening until it completes.
    complete_after: timedelta = timedelta(hours=24)
    #: Number of history events after which an incident's workflow continues as new.
    continue_as_new_after: Annotated[int, Field(ge=20, le=20_000)] = 250
    #: Gather an incident's context when it begins, is reopened, becomes more severe, or changes its service.
    gather_context: bool = True
    #: Run the on-call analyses daily, for the first time, and after changes. On demand they always run.
    analyse_oncall: bool = True
    #: Run each on-call analysis in a process of its own, so that the worker answers meanwhile.
    analysis_process: bool = True
    #: Run workflows in the SDK's sandbox (tests always do).
    workflow_sandbox: bool = False
    #: HOST:PORT at which a worker serves its metrics. Default: nowhere.
    worker_metrics: str | None = None
    #: Where workers show that they work. Default: the data folder.
    heartbeat_dir: Path | None = None
    workflow_slots: Annotated[int, Field(ge=2, le=200)] = 8
    #: Maximum number of concurrent calls to PagerDuty in a worker.
    pagerduty_slots: Annotated[int, Field(ge=1, le=1000)] = 24
    cached_workflows: Annotated[int, Field(ge=0)] = 6000
    #: After this time, Temporal gives a killed worker's workflow tasks to another worker.
    sticky_timeout: timedelta = timedelta(seconds=1.5)
    #: Forwarded deliveries that reach no timeline within this time are sent again.
    confirm_after: timedelta = timedelta(seconds=30)
    #: Retention of deliveries' bodies and of tool calls' results.
    keep_bodies: Annotated[timedelta, Field(ge=timedelta(days=3))] = timedelta(days=30)
    #: Retention of the delivery log, of refusals, tool calls and the audit, and of what analyses said.
    keep_ids: Annotated[timedelta, Field(ge=timedelta(days=3))] = timedelta(days=400)
    #: Retention of issues that are resolved, with their timelines and contexts.
    keep_issues: Annotated[timedelta, Field(ge=timedelta(days=3))] = timedelta(days=1095)

    _start: str = PrivateAttr(default_factory=lambda: secrets.token_hex(4))

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"

    @property
    def database(self) -> str:
        """The database's URL. It may hold a password: never log it."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'calmo.db'}"

    @property
    def heartbeat_folder(self) -> Path:
        """The folder of the files by which workers show that they work."""
        return self.heartbeat_dir or self.data_dir

    @property
    def public_address(self) -> str:
        """The URL of the ingress for people and PagerDuty, without a trailing slash."""
        return (self.public_url or f"http://{self.http_host}:{self.http_port}").rstrip("/")

    @property
    def webhook_address(self) -> str:
        """The URL that webhooks' addresses begin with, without a trailing slash."""
        return (self.webhook_url or self.public_address).rstrip("/")

    @property
    def api_address(self) -> str:
        """The URL of the ingress for our command line, without a trailing slash."""
        return (self.url or self.public_address).rstrip("/")

    @property
    def instance(self) -> str:
        """The name of this start of a process as a lease holder.

        Two containers may have the same host name and port, and both would hold one lease.
        """
        return f"{socket.gethostname()}:{self.http_port}:{self._start}"

    def keyring(self) -> "Keyring":
        """Return the master keys; the first run creates them if none are configured. Raises KeyProblem."""
        # It imports the database's code, which programs that only need an address don't use.
        from calmo_pagerduty.db.encryption import load_or_create_keys, parse_keys  # noqa: PLC0415 - imports cryptography

        if self.encryption_keys is not None:
            return parse_keys(self.encryption_keys.get_secret_value())
        return load_or_create_keys(self.encryption_key_file or self.data_dir / "master_key")


def load_settings(**given: object) -> Settings:
    """Read the environment. `given` values win over it. Raises InvalidSettings, naming the variable."""
    overrides = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # Settings itself checks them
    except ValidationError as error:
        problems = "; ".join(
            f"CALMO_{'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors()
        )
        raise InvalidSettings(problems) from None
