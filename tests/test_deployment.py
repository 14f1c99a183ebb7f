"""The compose file, checked without an engine: its schema, its settings, its commands."""

import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_pydantic import ComposeSpecification
from typer.main import get_command

from calmo_pagerduty import __version__
from calmo_pagerduty.settings import Settings
from ingress.cli import app

ROOT = Path(__file__).parent.parent
COMPOSE = ROOT / "docker-compose.temporal.yml"
OURS = ("door", "api", "forwarder", "worker")
PROXY = ROOT / "deploy/nginx/calmo.conf.template"
#: Temporal's own environment configuration that our programs read.
TEMPORAL_VARIABLES = {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"}


def document() -> dict[str, Any]:
    """The file without its extension fields (x-…), which the specification allows but its models don't."""
    read: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return {name: value for name, value in read.items() if not name.startswith("x-")}


def services() -> dict[str, Any]:
    found: dict[str, Any] = document()["services"]
    return found


def setting_names() -> set[str]:
    return {f"CALMO_{name.upper()}" for name in Settings.model_fields}


def test_the_compose_file_follows_the_compose_specification() -> None:
    specification = ComposeSpecification(**document())
    assert set(OURS) < set(specification.services or {})


def test_the_specification_refuses_a_misspelt_key() -> None:
    misspelt = document()
    misspelt["services"]["worker"]["comand"] = misspelt["services"]["worker"].pop("command")
    with pytest.raises(ValueError, match="comand"):
        ComposeSpecification(**misspelt)


@pytest.mark.parametrize("service", OURS)
def test_each_variable_of_our_services_is_a_setting(service: str) -> None:
    given = set(services()[service]["environment"])
    assert given - TEMPORAL_VARIABLES <= setting_names()


@pytest.mark.parametrize("service", OURS)
def test_each_command_of_our_services_exists(service: str) -> None:
    command: Any = get_command(app)
    name, *options = services()[service]["command"]
    command.commands[name].make_context(name, options)
    program, *arguments = services()[service]["healthcheck"]["test"][1:]
    assert [program, *arguments[:2]] == ["python", "-m", "ingress"]
    assert arguments[3] in command.commands[arguments[2]].commands


def test_every_image_is_pinned_and_every_lasting_service_has_a_health_check() -> None:
    for name, service in services().items():
        digest = "" if "build" in service else "@sha256:[0-9a-f]{64}"
        assert re.fullmatch(rf"[\w./-]+:\d+\.\d+(\.\d+)?{digest}", service["image"]), name
        lasts = service["restart"] == "unless-stopped"
        assert ("healthcheck" in service) == lasts, name


def test_the_proxy_leads_webhooks_to_doors_and_the_rest_to_the_api_within_limits() -> None:
    text = re.sub(r"#.*", "", PROXY.read_text())
    assert text.count("{") == text.count("}")
    for directive in (
        "ssl_protocols TLSv1.2 TLSv1.3", "client_header_timeout", "large_client_header_buffers",
        "client_body_timeout", "limit_conn clients", "client_max_body_size 512k",
    ):  # fmt: skip
        assert f"{directive}" in text, directive
    assert re.search(r"location /webhooks/ \{[^}]*proxy_pass http://door;", text)
    assert re.search(r"location / \{[^}]*proxy_pass http://api;", text)
    asked = set(re.findall(r"\$\{(\w+)\}", text))
    assert asked == set(services()["proxy"]["environment"])
    for address in services()["proxy"]["environment"].values():
        name, _, port = address.partition(":")
        assert services()[name]["environment"]["CALMO_HTTP_PORT"] == port


def test_only_the_proxy_and_loopback_are_reached_from_outside() -> None:
    for name, service in services().items():
        for port in service.get("ports", []):
            assert name == "proxy" or port.startswith("127.0.0.1:"), name


def test_no_password_stands_outside_the_example_file() -> None:
    for name, service in services().items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|PWD|KEYS|_URL$", variable) and "TEMPORAL_UI" not in variable:
                assert re.search(r"\$\{\w+:\?[^}]+\}", value), f"{name}: {variable}"


def test_the_example_file_gives_exactly_what_the_compose_file_asks_for() -> None:
    asked = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text()))
    given = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert given == asked


def test_everything_that_is_mounted_exists_and_scripts_can_be_run() -> None:
    for service in services().values():
        for mount in service.get("volumes", []):
            if mount.startswith("./"):
                path = ROOT / mount.split(":")[0]
                assert path.is_file()
                assert path.suffix != ".sh" or path.stat().st_mode & stat.S_IXOTH


def test_the_image_runs_without_root_from_locked_packages() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER calmo$", text, re.MULTILINE)
    assert "--require-hashes" in text
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert all(re.search(r":\d[\w.-]+@sha256:[0-9a-f]{64}$", base) for base in bases)
    assert f"/sbom.py /requirements.lock {__version__} > /sbom.cdx.json" in text
    for copied in re.findall(r"^COPY ([\w.]+)", text, re.MULTILINE):
        assert (ROOT / copied).exists()


def test_what_the_image_copies_is_sent_to_its_build() -> None:
    copied = re.findall(r"^COPY ([\w.]+) ", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sent = re.findall(r"^!([\w.]+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert set(copied) == set(sent)


def test_the_image_holds_every_package_of_the_program() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = re.findall(r"^COPY ([\w.]+) ", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert set(wheel["only-include"]) - {"pagerduty_simulator"} <= set(copied)
