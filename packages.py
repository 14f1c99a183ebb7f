"""`.venv/bin/python packages.py install` installs the locked packages for the Python that runs it.
`… lock` writes the locks again. `… audit` looks for known vulnerabilities in what the locks name.

pip installs uv, and uv installs everything else, in a fifth of pip's time. Both locks have hashes. uv
reads none of pip's settings, so we pass on an index, a certificate or a proxy that is set for pip. If uv
is missing or fails, pip installs everything.

This module uses the standard library only, because nothing else is installed yet.
"""

import ast
import os
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Mapping
from pathlib import Path

UV_LOCK, LOCK, DEV_LOCK = "requirements-uv.lock", "requirements.lock", "requirements-dev.lock"
AUDIT_LOCK = "requirements-audit.lock"

#: A vulnerability of 2019. If OSV tells of it, which pip-audit asks, it can be asked.
ADVISORY = "https://api.osv.dev/v1/vulns/PYSEC-2019-217"
ANSWER_SECONDS = 5
#: pip-audit has an environment of its own, so that nothing of ours rests on what it needs.
AUDIT_FOLDER = ".venv/audit"
AUDIT_PYTHON = f"{AUDIT_FOLDER}/bin/python"

FROM_LOCK = ("--quiet", "--require-hashes", "--only-binary", ":all:", "-r")
THIS_PROJECT = ("--quiet", "--no-deps", "--no-build-isolation", "-e", ".")

#: Locks are valid for all platforms and for Python 3.11 and later, and name no index.
LOCKING = (
    "--quiet", "--python-version", "3.11", "--universal", "--generate-hashes", "--no-emit-index-url",
    "--no-annotate", "--no-header", "--upgrade", "-o",
)  # fmt: skip
LOCKS: Mapping[str, tuple[str, ...]] = {
    UV_LOCK: ("--group", "pyproject.toml:installer"),
    AUDIT_LOCK: ("--group", "pyproject.toml:audit"),
    LOCK: ("pyproject.toml",),
    DEV_LOCK: ("pyproject.toml", "--extra", "embedded", "--extra", "dev"),
}

#: By pip's setting: uv's variable with the same meaning, and its separator between several values.
#: pip splits such values at white space.
VARIABLES: Mapping[str, tuple[str, str | None]] = {
    "index-url": ("UV_DEFAULT_INDEX", None),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", None),
    "client-cert": ("SSL_CLIENT_CERT", None),
    "proxy": ("ALL_PROXY", None),
    "timeout": ("UV_HTTP_TIMEOUT", None),
    "default-timeout": ("UV_HTTP_TIMEOUT", None),
    "retries": ("UV_HTTP_RETRIES", None),
}
BESIDE_THE_INDEX = frozenset({"extra-index-url", "find-links"})


def install() -> int:
    """Install the locked packages and this project. Returns the exit code."""
    if pip("install", *FROM_LOCK, UV_LOCK) == 0:
        settings = pip_settings()
        if uv("install", settings, *FROM_LOCK, DEV_LOCK) == 0 and uv("install", settings, *THIS_PROJECT) == 0:
            compile_modules()
            return 0
    say("uv could not install the packages: pip tries, which takes a minute or two …")
    if pip("install", *FROM_LOCK, DEV_LOCK) == 0 and pip("install", *THIS_PROJECT) == 0:
        return 0
    say("the packages could not be installed: is the package index reachable? See `pip config list`.")
    return 1


def lock() -> int:
    """Write all locks again. Returns the exit code."""
    # Extra indexes often have files for this platform only, but a lock is for all platforms.
    settings = {name: value for name, value in pip_settings().items() if name not in BESIDE_THE_INDEX}
    return max(uv("compile", settings, *sources, *LOCKING, path) for path, sources in LOCKS.items())


def audit() -> int:
    """Look for known vulnerabilities in all that the locks name. Returns the exit code.

    It is 0, with a notice, where nobody can be asked.
    """
    if not is_answered(ADVISORY):
        say(f"NOTICE: known vulnerabilities were not looked for: {ADVISORY} is not answered from here.")
        return 0
    if not Path(AUDIT_PYTHON).exists():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", AUDIT_FOLDER], check=True)
    if uv("install", pip_settings(), *FROM_LOCK, AUDIT_LOCK, python=AUDIT_PYTHON) != 0:
        say("pip-audit could not be installed: is the package index reachable? See `pip config list`.")
        return 1
    locks = [argument for lock in LOCKS for argument in ("-r", lock)]
    command = [AUDIT_PYTHON, "-m", "pip_audit", "--strict", "--disable-pip", "--require-hashes", *locks]
    return subprocess.run(
        [*command, "--vulnerability-service", "osv", "--progress-spinner", "off"], check=False
    ).returncode


def is_answered(address: str) -> bool:
    """Tell whether something is found at an address over HTTPS."""
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - our own https address
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def pip(*arguments: str) -> int:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=False).returncode


def uv(verb: str, settings: Mapping[str, str], *arguments: str, python: str = sys.executable) -> int:
    command = [sys.executable, "-m", "uv", "pip", verb, "--python", python, *arguments]
    if settings.get("no-index", "no").lower() in {"1", "true", "yes", "on"}:
        command.append("--no-index")
    return subprocess.run(command, env=uv_environment(settings, os.environ), check=False).returncode


def compile_modules() -> None:
    """Compile the packages that uv installed, as pip does, and our own modules.

    Otherwise a process that can't write, or must not (PYTHONDONTWRITEBYTECODE), compiles them each time.
    Tests, a quarter of all files, are left out.
    """
    command = [sys.executable, "-m", "compileall", "-q", "-q", "-j", "0", "-x", r"/tests?/|^\./\."]
    subprocess.run([*command, sysconfig.get_path("purelib"), "."], check=False)


def pip_settings() -> dict[str, str]:
    """Return the settings of `pip install`: from its files, overridden by the environment."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    return read_settings(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


def read_settings(listed: str) -> dict[str, str]:
    """Parse the output of `pip config list`: a line `SECTION.NAME='VALUE'` for each setting.

    A later section wins over an earlier section, as in pip.
    """
    lines = [line.partition("=") for line in listed.splitlines()]
    return {
        name.removeprefix(section): str(ast.literal_eval(value))
        for section in ("global.", "install.", ":env:.")
        for name, _, value in lines
        if name.startswith(section)
    }


def uv_environment(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with pip's settings as uv's variables. Variables that are set for uv win."""
    # pip treats all indexes alike. With hashes, that is as safe as asking them in order.
    variables = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    if "REQUESTS_CA_BUNDLE" in environment:
        variables["SSL_CERT_FILE"] = environment["REQUESTS_CA_BUNDLE"]
    for name, (variable, separator) in VARIABLES.items():
        if name in settings:
            value = settings[name]
            variables[variable] = value if separator is None else separator.join(value.split())
    return variables | dict(environment)


def say(message: str) -> None:
    sys.stderr.write(f"{message}\n")


if __name__ == "__main__":
    sys.exit({"install": install, "lock": lock, "audit": audit}[sys.argv[1]]())
