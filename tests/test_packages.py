"""Setting up: the locks, and what uv is told of pip's settings."""

import re
import tomllib
from pathlib import Path

import pytest

import packages
from calmo_pagerduty import __version__

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("lock", packages.LOCKS)
def test_every_locked_package_has_a_version_and_hashes(lock: str) -> None:
    entries = re.split(r"\n(?! )", (ROOT / lock).read_text().strip())
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+(\[\w+\])?==[\w.+!-]+( ;.*)? \\\n    --hash=sha256:[0-9a-f]{64}", entry)


def test_the_program_that_installs_is_locked_by_itself() -> None:
    assert re.findall(r"^[\w-]+", (ROOT / packages.UV_LOCK).read_text(), re.MULTILINE) == ["uv"]


def test_the_environments_settings_of_pip_win_over_those_of_its_files() -> None:
    listed = """:env:.index-url='https://env.example/simple'
global.extra-index-url='https://one.example/simple\\nhttps://two.example/simple'
global.index-url='https://global.example/simple'
install.index-url='https://install.example/simple'
download.timeout='7'
"""
    assert packages.read_settings(listed) == {
        "index-url": "https://env.example/simple",
        "extra-index-url": "https://one.example/simple\nhttps://two.example/simple",
    }


def test_uv_is_told_what_pip_is_told() -> None:
    settings = {
        "index-url": "https://index.example/simple",
        "extra-index-url": "https://one.example/simple\nhttps://two.example/simple",
        "find-links": "/wheels https://wheels.example",
        "cert": "/etc/certificates.pem",
        "default-timeout": "60",
        "progress-bar": "off",
    }
    assert packages.uv_environment(settings, {"PATH": "/bin"}) == {
        "PATH": "/bin",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_FIND_LINKS": "/wheels,https://wheels.example",
        "SSL_CERT_FILE": "/etc/certificates.pem",
        "UV_HTTP_TIMEOUT": "60",
    }


def test_what_is_set_for_uv_itself_wins() -> None:
    environment = {"UV_DEFAULT_INDEX": "https://uv.example/simple"}
    told = packages.uv_environment({"index-url": "https://pip.example/simple"}, environment)
    assert told["UV_DEFAULT_INDEX"] == "https://uv.example/simple"


def test_the_release_is_the_same_everywhere() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
