"""What we ship: no secret in the sources, and a bill of materials that says what the lock says."""

import json
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

import packages
import sbom
from calmo_pagerduty.kernel.redaction import PATTERNS

ROOT = Path(__file__).parents[1]
#: Folders that are not ours, or hold no sources.
OTHERS = frozenset({".git", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".hypothesis"})
#: What can't be mistaken for anything else: PagerDuty's and our own keys, and those of a developer's machine.
SECRETS = {
    **{name: PATTERNS[name][0] for name in ("API key of ours", "user's REST key", "OAuth token")},
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=]{40}"),
    "AWS key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_[A-Za-z0-9_]{60,}"),
    "Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}"),
}
#: Tokens that tests and the simulator made up.
INVENTED = frozenset({
    "u+nobody-knows-this-token", "u+canarytoken-0123456789", "u+AbCdEfGhIjKlMnOpQr",
    "u+simulatedtoken-0123456789", "u+anothertoken-9876543210", "pdus+_0XBPWQQ_a1b2c3d4",
})  # fmt: skip


def found_secrets(text: str) -> set[tuple[str, str]]:
    """Return kind and beginning of what looks like a secret, without the ones that we made up."""
    return {
        (name, match.group()[:12])
        for name, pattern in SECRETS.items()
        for match in pattern.finditer(text)
        if not any(match.group().startswith(token) for token in INVENTED)
    }


def test_no_secret_stands_in_the_sources() -> None:
    found = {}
    for path in ROOT.rglob("*"):
        is_ours = path.is_file() and not OTHERS.intersection(path.relative_to(ROOT).parts)
        if is_ours and not path.is_symlink() and path.stat().st_size < 5_000_000:
            secrets = found_secrets(path.read_bytes().decode("utf-8", "replace"))
            if secrets:
                found[str(path.relative_to(ROOT))] = secrets
    assert found == {}


@pytest.mark.parametrize(
    "secret",
    [
        "u+" + "Zx9" * 7,
        "pdus+" + "_0ABCDEFG_x",
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "ghp_" + "a1" * 18,
        "-----BEGIN RSA PRIVATE " + "KEY-----\n" + "A" * 64,
        "calmo_" + "a" * 16 + "_" + "b" * 52 + "_" + "0" * 8,
    ],
)
def test_a_secret_would_be_found(secret: str) -> None:
    assert found_secrets(f"token = '{secret}'")


def test_the_bill_of_materials_names_what_is_installed_as_it_is_locked() -> None:
    locked = sbom.read_lock((ROOT / packages.LOCK).read_text())
    shipped = [each for each in distributions() if sbom.normalized(each.metadata["Name"]) in locked]
    bill = sbom.bill_of_materials(shipped, locked, "1.2.3")
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["version"] == "1.2.3"
    by_name = {component["name"]: component for component in bill["components"]}
    [(version, hashes)] = locked["temporalio"].items()
    assert by_name["temporalio"]["purl"] == f"pkg:pypi/temporalio@{version}"
    assert [entry["value"] for entry in by_name["temporalio"]["properties"]] == list(hashes)
    with pytest.raises(sbom.NotAsLocked, match="temporalio"):
        sbom.bill_of_materials(shipped, {**locked, "temporalio": {"0.1": ()}}, "1.2.3")


def test_the_program_prints_it(tmp_path: Path) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text("")
    # Without site packages: the image's build has the standard library only.
    command = [sys.executable, "-S", "-I", str(ROOT / "sbom.py"), str(lock), "1.2.3"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(printed)["components"] == []


def test_without_anybody_to_ask_the_audit_says_so_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(packages, "ADVISORY", "https://127.0.0.1:1/")
    assert packages.audit() == 0
    assert "known vulnerabilities were not looked for" in capsys.readouterr().err
