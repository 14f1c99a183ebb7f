"""What keeps the code in shape is checked like any other promise."""

import re
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("activities", "bootstrap", "calmo_pagerduty", "ingress", "pagerduty_simulator", "workflows")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
ALL = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "bench").rglob("*.py"))]


@pytest.mark.parametrize("name", [*PACKAGES, "worker"])
def test_no_other_distribution_owns_our_root_names(name: str) -> None:
    assert set(packages_distributions().get(name, [])) <= {"calmo-pagerduty"}


def test_every_file_is_below_500_lines() -> None:
    long = {str(path): len(path.read_text().splitlines()) for path in ALL}
    assert {path: lines for path, lines in long.items() if lines > 500} == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [str(path) for path in ALL if not path.read_text().lstrip().startswith('"""')]
    assert silent == []


def test_no_package_index_and_no_machine_path_stands_in_the_repository() -> None:
    hosts = re.compile(r"(py" r"pi|python" r"hosted|npm" r"js)\.(org|com)|(^|[^\w.])/(work|root)/")
    names = ("*.py", "*.md", "*.toml", "*.lock", "*.yml", "*.sh", "*.json", "Makefile", "Dockerfile")
    texts = [path for name in names for path in ROOT.rglob(name) if ".venv" not in path.parts]
    assert [str(path) for path in texts if hosts.search(path.read_text())] == []
