"""`.venv/bin/python packages.py install` installs the locked packages beside the Python that runs this;
`… lock` locks them anew.

pip installs uv, and uv installs everything else, in a fifth of pip's time. Both have a lock, with hashes.
uv reads none of pip's settings, so an index, a certificate or a proxy that is set for pip is passed on here.
Where there is no uv, or where it does not succeed, pip does the whole work.

Standard library only: nothing else is installed yet.
"""

import ast
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping

UV_LOCK, LOCK, DEV_LOCK = "requirements-uv.lock", "requirements.lock", "requirements-dev.lock"

FROM_LOCK = ("--quiet", "--require-hashes", "--only-binary", ":all:", "-r")
THIS_PROJECT = ("--quiet", "--no-deps", "--no-build-isolation", "-e", ".")

#: A lock serves every platform and each Python from 3.11 on, and names no index.
LOCKING = (
    "--quiet", "--python-version", "3.11", "--universal", "--generate-hashes", "--no-emit-index-url",
    "--no-annotate", "--no-header", "--upgrade", "-o",
)  # fmt: skip
LOCKS: Mapping[str, tuple[str, ...]] = {
    UV_LOCK: ("--group", "pyproject.toml:installer"),
    LOCK: ("pyproject.toml",),
    DEV_LOCK: ("pyproject.toml", "--extra", "embedded", "--extra", "dev"),
}

#: pip's settings and uv's variables of the same meaning, with what stands between several values there.
#: pip itself splits such values at white space.
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
    """Return the exit code: 0 if the locked packages and this project are installed."""
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
    """Return the exit code: 0 if every lock is written anew."""
    # What stands beside the index often has files for this platform only; a lock is for every platform.
    settings = {name: value for name, value in pip_settings().items() if name not in BESIDE_THE_INDEX}
    return max(uv("compile", settings, *sources, *LOCKING, path) for path, sources in LOCKS.items())


def pip(*arguments: str) -> int:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=False).returncode


def uv(verb: str, settings: Mapping[str, str], *arguments: str) -> int:
    command = [sys.executable, "-m", "uv", "pip", verb, "--python", sys.executable, *arguments]
    if settings.get("no-index", "no").lower() in {"1", "true", "yes", "on"}:
        command.append("--no-index")
    return subprocess.run(command, env=uv_environment(settings, os.environ), check=False).returncode


def compile_modules() -> None:
    """Compile what uv installed, as pip does, and what is ours.

    A process that can't write, or is told not to (PYTHONDONTWRITEBYTECODE), would compile it each time.

    Tests are left out: they are a quarter of all, and most belong to packages.
    """
    command = [sys.executable, "-m", "compileall", "-q", "-q", "-j", "0", "-x", r"/tests?/|^\./\."]
    subprocess.run([*command, sysconfig.get_path("purelib"), "."], check=False)


def pip_settings() -> dict[str, str]:
    """Return what `pip install` would use: its files' settings, and over them the environment's."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    return read_settings(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


def read_settings(listed: str) -> dict[str, str]:
    """Read the output of `pip config list`: a line `SECTION.NAME='VALUE'` for each setting.

    A later section wins over an earlier one, as it does for pip.
    """
    lines = [line.partition("=") for line in listed.splitlines()]
    return {
        name.removeprefix(section): str(ast.literal_eval(value))
        for section in ("global.", "install.", ":env:.")
        for name, _, value in lines
        if name.startswith(section)
    }


def uv_environment(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that tells uv what the settings tell pip. What is set for uv itself wins."""
    # To pip all indexes are alike; with hashes that is as safe as asking them in order.
    told = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    if "REQUESTS_CA_BUNDLE" in environment:
        told["SSL_CERT_FILE"] = environment["REQUESTS_CA_BUNDLE"]
    for name, (variable, separator) in VARIABLES.items():
        if name in settings:
            value = settings[name]
            told[variable] = value if separator is None else separator.join(value.split())
    return told | dict(environment)


def say(words: str) -> None:
    sys.stderr.write(f"{words}\n")


if __name__ == "__main__":
    sys.exit({"install": install, "lock": lock}[sys.argv[1]]())
