"""Reports over REST: the same report as JSON, Markdown, HTML and CSV, stamped, without scripts."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.performance.report import Question
from calmo_pagerduty.reports.model import KINDS, ReportInputs, ReportKind, SeenIncident
from calmo_pagerduty.reports.rendering import ReportFormat, report_document, report_from_document, report_html
from calmo_pagerduty.reports.sections import SECTIONS, webhooks_section
from calmo_pagerduty.snapshots.incident_measures import IncidentMeasures
from calmo_pagerduty.snapshots.model import AccountSnapshot, Incident, Service, Urgency
from ingress.commands.reports import Format, Kind
from tests.support.doors import Doorway, make_key, open_doorway
from tests.support.snapshots import DAY, TAKEN_AT, small_snapshot, store_snapshot

HOSTILE = '=cmd|"<script>alert(1)</script>"'


def an_account() -> AccountSnapshot:
    incidents = tuple(
        Incident(
            f"I{n:03}", n, None, "PSHOP", "PPOL", Urgency.HIGH, at, at + 3600, "resolved", ("PTEAM",), False,
            IncidentMeasures(seconds_to_first_ack=60 + n, acknowledgements=1, is_major=False),
        )
        for n, at in enumerate(range(TAKEN_AT - 56 * DAY, TAKEN_AT, DAY))
    )  # fmt: skip
    return small_snapshot(services=(Service("PSHOP", HOSTILE, None, "active", "PPOL"),), incidents=incidents)


@pytest.fixture
async def doorway(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Doorway]:
    async with open_doorway(database, keyring, tmp_path) as found:
        yield found


async def test_every_kind_comes_in_every_format(doorway: Doorway, database: Database) -> None:
    connection = store_snapshot(database, an_account()).connection_id
    key = make_key(database, ["findings:read"])
    for kind, row in KINDS.items():
        texts = {}
        for fmt in ReportFormat:
            path = f"/api/connections/{connection}/report"
            answer = await doorway.client.get(path, params={"kind": kind, "format": fmt}, headers=key)
            assert answer.status_code == 200, answer.text
            texts[fmt] = answer.text
        document = json.loads(texts[ReportFormat.JSON])
        begun = datetime.fromisoformat(document["since"])
        assert datetime.fromisoformat(document["until"]) - begun == timedelta(days=row.days)
        assert document["author"] and document["scope"] and document["snapshot_id"]
        assert document["sections"][0]["definitions"] or document["sections"][1]["definitions"]
        page = texts[ReportFormat.HTML]
        assert "<script" not in page
        assert "http" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "<h2>Definitions</h2>" in page and row.title in page
        made = report_from_document(document)
        assert report_document(made) == document
        assert report_html(made) == page
        assert texts[ReportFormat.MARKDOWN].startswith(f"# {row.title}")
        assert not any(line.startswith(("=", "+", "@")) for line in texts[ReportFormat.CSV].splitlines())


async def test_a_range_a_scope_and_a_grouping_are_asked_for(doorway: Doorway, database: Database) -> None:
    connection = store_snapshot(database, an_account()).connection_id
    key = make_key(database, ["findings:read"])
    path = f"/api/connections/{connection}/report"
    until = datetime.fromtimestamp(TAKEN_AT, UTC) - timedelta(days=10)
    asked = {
        "kind": "weekly-operations",
        "since": (until - timedelta(days=3)).isoformat(),
        "until": until.isoformat(),
        "by": "team",
    }
    report = (await doorway.client.get(path, params={**asked, "service": "PSHOP"}, headers=key)).json()
    assert report["asked"] == "by team, service PSHOP"
    assert [day[1] for day in report["sections"][0]["tables"][0]["rows"]][1:3] == [1, 1]
    others = (await doorway.client.get(path, params={**asked, "service": "PNONE"}, headers=key)).json()
    assert not any(day[1] for day in others["sections"][0]["tables"][0]["rows"])
    for wrong, status in (
        ({"format": "csv", "table": "40"}, 404),
        ({"since": until.isoformat(), "until": (until - timedelta(days=1)).isoformat()}, 400),
    ):
        assert (
            await doorway.client.get(path, params={"kind": "weekly-operations", **wrong}, headers=key)
        ).status_code == status
    assert (await doorway.client.get(path, params={"kind": "none"}, headers=key)).status_code == 400


def test_the_api_and_the_webhooks_are_compared_incident_by_incident() -> None:
    snapshot = an_account()
    window = Span(TAKEN_AT - 10 * DAY, TAKEN_AT)
    inside = [item for item in snapshot.incidents if item.created_at >= window.start]
    seen = [
        # The same time, one two hours late, one that was never acknowledged, and one that the API has not.
        SeenIncident(inside[0].id, inside[0].created_at, inside[0].created_at + 60 + inside[0].number, 2),
        SeenIncident(inside[1].id, inside[1].created_at, inside[1].created_at + 7200, 0),
        SeenIncident(inside[2].id, inside[2].created_at, None, 0),
        SeenIncident("INEW", TAKEN_AT - 60, None, 0),
    ]
    inputs = ReportInputs(snapshot, TAKEN_AT, Question(window), (), (), seen)
    figures, differing = webhooks_section(inputs).tables
    values = [row[1] for row in figures.rows]
    assert values[:5] == [10, 3, 1, 2, 1]
    assert values[6] == 2
    assert [row[0] for row in differing.rows] == [inside[1].id]


def test_every_kind_has_sections_and_the_command_has_every_kind() -> None:
    assert set(SECTIONS) == set(KINDS) == set(ReportKind)
    assert [str(kind) for kind in Kind] == [str(kind) for kind in ReportKind]
    assert [str(fmt) for fmt in Format] == [str(fmt) for fmt in ReportFormat]
