"""Our HTTP client: what importing it costs, and the certificates that it trusts."""

import json
import ssl
import subprocess
import sys
from pathlib import Path

from calmo_pagerduty.http_client import tls_context

ROOT = Path(__file__).parents[1]
#: What httpx's command line brings along.
COMMAND_LINE = ("click", "rich", "pygments", "httpx._main")


def loaded_by(program: str) -> set[str]:
    """Return which parts of a command line a new process has loaded after the program."""
    say = f"; import json, sys; print(json.dumps([n for n in {COMMAND_LINE} if sys.modules.get(n)]))"
    done = subprocess.run(
        [sys.executable, "-c", program + say], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return set(json.loads(done.stdout))


def test_our_client_loads_no_command_line_and_works() -> None:
    assert loaded_by("import calmo_pagerduty.http_client as c; c.Client().close(); c.AsyncClient()") == set()


def test_httpx_itself_still_loads_one() -> None:
    # If this fails, the line about httpx._main in http_client.py has nothing left to do.
    assert "httpx._main" in loaded_by("import httpx")


def test_all_clients_of_a_process_share_the_certificates_they_trust() -> None:
    assert tls_context() is tls_context()
    assert tls_context().verify_mode is ssl.CERT_REQUIRED
    assert tls_context().check_hostname
