"""`python sbom.py LOCK VERSION` prints a bill of materials of its Python environment: CycloneDX 1.6, JSON.

The image's build runs it in the environment that it has made. So the bill names what is in the image, and the
build fails if that is not what the lock says. Source: CycloneDX 1.6 JSON reference.

This module uses the standard library only, because the image holds nothing else.
"""

import json
import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

#: Python's own installer, which no lock names.
OF_PYTHON = frozenset({"pip", "setuptools", "wheel"})
_ENTRY = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


#: Hashes by version, by the package's normalized name.
Lock = dict[str, dict[str, tuple[str, ...]]]


class NotAsLocked(Exception):
    """The environment holds something else than the lock says. The message says what."""


def read_lock(text: str) -> Lock:
    """Return the hashes of each package's versions: a lock may have one for some Pythons, and another."""
    lock: Lock = {}
    for name, version, rest in _ENTRY.findall(text):
        lock.setdefault(normalized(name), {})[version] = tuple(_HASH.findall(rest))
    return lock


def normalized(name: str) -> str:
    """Return the name as indexes compare it. Source: PyPA, name normalization (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def bill_of_materials(found: Iterable[Distribution], locked: Lock, version: str) -> dict[str, Any]:
    """Return the bill. Equal environments give equal bills. Raises NotAsLocked."""
    components = {
        normalized(name): _component(normalized(name), distribution, locked)
        for distribution in found
        if normalized(name := distribution.metadata["Name"]) not in OF_PYTHON
    }
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "calmo-pagerduty", "version": version}},
        "components": [components[name] for name in sorted(components)],
    }


def _component(name: str, distribution: Distribution, locked: Lock) -> dict[str, Any]:
    version, versions = distribution.version, locked.get(name, {})
    if version not in versions:
        raise NotAsLocked(
            f"{name} {version} is installed, and the lock says {', '.join(versions) or 'nothing'}"
        )
    purl = f"pkg:pypi/{name}@{version}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        #: The files that the installer accepts: one of them was installed.
        "properties": [{"name": "calmo:lock:sha256", "value": digest} for digest in versions[version]],
    }
    if expression := distribution.metadata.json.get("license_expression"):
        component["licenses"] = [{"expression": expression}]
    return component


def main(lock: str, version: str) -> None:
    bill = bill_of_materials(distributions(), read_lock(Path(lock).read_text("utf-8")), version)
    sys.stdout.write(json.dumps(bill, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
