"""mypy compares each endpoint's row with its handler: the models that it takes and that it answers."""

import subprocess
import sys
from pathlib import Path

import pytest

#: Kept between runs, as mypy's own is: most of a minute's work else.
CACHE = Path(__file__).parents[2] / ".mypy_cache" / "endpoint_types"
MYPY = (
    sys.executable, "-m", "mypy", "--cache-dir", str(CACHE), "--strict", "--disable-error-code", "empty-body",
)  # fmt: skip
ROWS = """
from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.store import Principal
from ingress.api.endpoints import Endpoint, Json, Media, NoInput, PublicEndpoint, EndpointRow
from ingress.api.models import HealthModel, NoBody, ReadinessModel


async def checked(request: Request, caller: Principal, body: NoBody) -> HealthModel: ...
async def page(request: Request, caller: Principal, nothing: NoInput) -> Response: ...
async def public(request: Request) -> HealthModel: ...


right: list[EndpointRow] = [
    Endpoint("POST", "/", "", Json(HealthModel), permission="p", takes=NoBody, handler=checked),
    Endpoint("GET", "/", "", Media("text/plain"), permission="p", takes=NoInput, handler=page),
    PublicEndpoint("GET", "/", "", Json(HealthModel), handler=public),
]
wrong: list[EndpointRow] = [
    Endpoint("POST", "/", "", Json(ReadinessModel), permission="p", takes=NoBody, handler=checked),
    Endpoint("POST", "/", "", Json(HealthModel), permission="p", takes=NoInput, handler=checked),
    Endpoint("POST", "/", "", Json(HealthModel), takes=NoBody, handler=checked),
    PublicEndpoint("GET", "/", "", Json(ReadinessModel), handler=public),
    PublicEndpoint("GET", "/", "", Json(HealthModel), handler=checked),
]
"""


@pytest.mark.slow
def test_a_handler_of_another_type_than_its_row_is_found(tmp_path: Path) -> None:
    file = tmp_path / "rows.py"
    file.write_text(ROWS)
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--cache-dir",
            str(CACHE),
            "--strict",
            "--disable-error-code",
            "empty-body",
            file.name,
        ],
        cwd=tmp_path,
        env={"MYPYPATH": str(Path(__file__).parents[2]), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    found = [int(line.split(":")[1]) for line in checked.stdout.splitlines() if ": error:" in line]
    first = ROWS[: ROWS.index("wrong: list")].count("\n") + 2
    assert found == list(range(first, first + 5)), checked.stdout + checked.stderr
