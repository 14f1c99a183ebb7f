"""What the documentation names exists, and what exists is documented."""

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from calmo_pagerduty.deliveries.model import Verdict
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.documentation import tools_markdown
from ingress.cli import app
from ingress.metrics import Metrics
from workflows import names

ROOT = Path(__file__).parent.parent
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    documented = set(re.findall(r"`(CALMO_[A-Z_]+)`", OPERATIONS))
    assert documented == {f"CALMO_{name.upper()}" for name in Settings.model_fields}


def test_every_search_attribute_has_a_question_that_it_answers() -> None:
    searches = OPERATIONS.partition("## The Temporal UI")[2].partition("## Is it well?")[0]
    used = set(re.findall(r"\bPd[A-Z]\w+", searches)) | {"PdIncidentId"}
    assert used == {key.name for key in names.SEARCH_ATTRIBUTES}


def test_every_documented_metric_exists() -> None:
    families = {family.name for family in Metrics().registry.collect()}
    # Workflows count these, and workers serve them.
    families |= set(
        re.findall(r'create_counter\("(calmo_[a-z_]+)"', (ROOT / "workflows/incident.py").read_text())
    )
    for name in re.findall(r"`(calmo_[a-z_]+)", OPERATIONS):
        assert name.removesuffix("_total") in families


def test_the_page_of_tools_is_made_from_the_catalogue() -> None:
    page = (ROOT / "docs" / "tools.md").read_text()
    assert page == tools_markdown(TOOLS), "run: make docs"


def test_every_refusal_that_a_user_may_see_is_explained() -> None:
    for verdict in (
        Verdict.NO_SECRET,
        Verdict.UNPROVEN,
        Verdict.MISMATCH,
        Verdict.GUARDED,
        Verdict.LEGACY_PAYLOAD,
    ):
        assert f"`{verdict}`" in OPERATIONS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    """Files are named in backticks from the root of the repository; a folder's name ends with a slash."""
    named = re.findall(r"`((?:[\w.-]+/)+(?:[\w.-]+\.[a-z]+)?)`", page.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_term_of_the_glossary_stands_where_it_says() -> None:
    page = (ROOT / "docs" / "glossary.md").read_text()
    places = re.findall(r"^\| \*\*.* \| ((?:`\w+`, )+)`([\w/]+\.py)` \|$", page, re.MULTILINE)
    assert len(places) == len(re.findall(r"^\| \*\*", page, re.MULTILINE))
    for names_of_term, path in places:
        for name in re.findall(r"\w+", names_of_term):
            assert re.search(
                rf"^(?:class|(?:async )?def) {name}\b|^{name}\b", (ROOT / path).read_text(), re.M
            ), name


def test_every_make_target_that_the_pages_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE))
        assert named <= targets, page.name


def test_every_command_that_the_pages_name_exists() -> None:
    root: Any = get_command(app)
    for page in PAGES:
        for line in re.findall(r"calmo-pagerduty ([a-z][a-z -]*)", page.read_text()):
            first, *rest = line.split()
            assert first in root.commands, line
            if rest and hasattr(root.commands[first], "commands"):
                assert rest[0] in root.commands[first].commands, line
