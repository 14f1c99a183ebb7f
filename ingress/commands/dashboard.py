"""The command `calmo-pagerduty dashboard`."""

from pathlib import Path
from typing import Annotated

from ingress.commands.instances import api_address
from ingress.commands.options import AS_JSON, DATA_DIR
from ingress.commands.output import emit


def dashboard(
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Print a link that signs in to the dashboard once, within 15 minutes.

    It needs the service's database. Elsewhere, open /dashboard and sign in with an API key.
    """
    from ingress.commands.local_store import create_sign_in_link  # noqa: PLC0415 - imports SQLAlchemy

    url, api_key = api_address(data_dir)
    link = create_sign_in_link(data_dir, url, api_key)
    emit({"url": link}, as_json, lambda _: link)
