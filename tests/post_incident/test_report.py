"""A post-incident report says nothing without a source, and the same thing for the same sources."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calmo_pagerduty.access.permissions import DELIVERIES_READ, ISSUES_READ, PERSONS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.runs import ContextState
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.incidents import store as issues
from calmo_pagerduty.incidents.incident_replay_service import IncidentReplayer
from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus, IssueAction
from calmo_pagerduty.pagerduty.webhook_events import Reference
from calmo_pagerduty.post_incident.document import report_document
from calmo_pagerduty.post_incident.html import report_html
from calmo_pagerduty.post_incident.markdown import report_markdown
from calmo_pagerduty.post_incident.model import LogFact, PartName, PostIncidentInput, Sentence
from calmo_pagerduty.post_incident.report import make_report
from calmo_pagerduty.post_incident.service import PostIncidentService, TooManyAdditions
from calmo_pagerduty.snapshots.service import SnapshotReader
from tests.support.builders import NOON, SECRET, an_event, minutes, new_id
from tests.support.doors import make_webhook
from tests.support.kept_deliveries import keep
from tests.support.sample_context import a_context

HOSTILE = "<b data-evil>[x](https://evil.example)</b>"
ADA = Reference("PADA", "user_reference", "Ada")


def an_entry(event_id: str, event_type: str, after: int, actor: Reference | None = None) -> TimelineEntry:
    summary = event_type.removeprefix("incident.").capitalize()
    return TimelineEntry(
        event_id, event_type, IssueAction.RECORD, NOON + minutes(after), after, actor, summary, True
    )


def an_input() -> PostIncidentInput:
    """Ada doesn't answer, it is escalated to Bo, and Bo does."""
    ref = IncidentRef(connection_id="con_x", incident_id="QINC")
    issue = Issue(
        ref=ref,
        scope=Scope.parse("organization:acme"),
        title=HOSTILE,
        status=IncidentStatus.RESOLVED,
        severity=Severity.CRITICAL,
        created_at=NOON,
        updated_at=NOON,
        number=7,
        acknowledged_at=NOON + minutes(9),
        resolved_at=NOON + minutes(40),
    )
    timeline = (
        an_entry("E1", EventType.TRIGGERED, 0),
        an_entry("E2", EventType.ACKNOWLEDGED, 9, Reference("PBO", "user_reference", "Bo")),
        an_entry("E3", EventType.ANNOTATED, 12, ADA),
        an_entry("E4", EventType.RESOLVED, 40, Reference("PBO", "user_reference", "Bo")),
    )
    log = (
        LogFact("R1", "notify", NOON, None, ("PADA",), "push"),
        LogFact("R2", "notify", NOON + minutes(2), None, ("PADA",), "phone"),
        LogFact("R3", "escalate", NOON + minutes(5), None, ("PBO",), None, True),
        LogFact("R4", "notify", NOON + minutes(5), None, ("PBO",), "phone"),
        LogFact("R5", "acknowledge", NOON + minutes(9), "PBO"),
    )
    return PostIncidentInput(
        issue,
        timeline,
        log=log,
        context=a_context(),
        log_until=NOON + minutes(41),
        names={"PADA": "Ada", "PBO": "Bo"},
    )


def said(given: PostIncidentInput, part: PartName) -> list[str]:
    [found] = [each for each in make_report(given).parts if each.part is part]
    return [sentence.text for sentence in found.sentences]


def test_who_was_paged_how_often_and_when_they_answered_stands_in_the_order_of_time() -> None:
    assert said(an_input(), PartName.PAGED) == [
        "Ada was paged twice by push and phone, first at the start;"
        " no acknowledgement of theirs is in the log.",
        "It was escalated to Bo because nobody acknowledged in time, 5 min after the start.",
        "Bo was paged once by phone, first 5 min after the start; they acknowledged 4 min later.",
    ]
    hidden = replace(an_input(), names={})
    assert not any("Ada" in text or "Bo" in text for text in said(hidden, PartName.PAGED))


def test_who_did_what_names_each_person_once_with_the_events_that_say_so() -> None:
    [done] = [part for part in make_report(an_input()).parts if part.part is PartName.DONE]
    assert [(sentence.text, sentence.cites) for sentence in done.sentences] == [
        (
            "Bo: acknowledged (9 min after the start) and resolved (40 min after the start).",
            ("event E2", "event E4"),
        ),
        ("Ada: annotated (12 min after the start).", ("event E3",)),
    ]


def test_every_sentence_cites_a_source_and_what_is_lacking_says_how_to_get_it() -> None:
    report = make_report(an_input())
    assert all(sentence.cites for part in report.parts for sentence in part.sentences)
    with pytest.raises(ValueError, match="without a source"):
        Sentence("It was the database.", ())
    bare = make_report(replace(an_input(), context=None, log=()))
    lacking = {part.part: part.lacking for part in bare.parts}
    assert all(lacking[part] for part in (PartName.PAGED, PartName.BEFORE, PartName.REACHED, PartName.CALMO))
    early = make_report(replace(an_input(), log_until=NOON + minutes(20)))
    assert any("before the incident ended" in text for part in early.parts for text in part.lacking)


def test_figures_follow_pagerdutys_definitions_and_the_same_input_gives_the_same_bytes() -> None:
    report = make_report(an_input())
    assert [(figure.seconds, figure.cites) for figure in report.figures] == [
        (540.0, ("event E2",)),
        (2400.0, ("event E4",)),
    ]
    again = make_report(replace(an_input(), log=tuple(reversed(an_input().log))))
    for render in (report_markdown, report_html, lambda made: json.dumps(report_document(made))):
        assert render(report) == render(again)


def test_texts_from_outside_stay_texts_in_every_rendering() -> None:
    report = make_report(an_input())
    assert "<b data-evil" not in report_html(report)
    assert "<script" not in report_html(report)
    assert report_markdown(report).startswith(f"# Post-incident report: `#7 {HOSTILE}`")


async def test_the_stored_report_has_what_the_workflow_decided_and_keeps_what_people_added(
    database: Database, keyring: Keyring
) -> None:
    hook, incident = make_webhook(database, keyring, SECRET), new_id()
    keep(database, hook, an_event("incident.triggered", incident), state=DeliveryState.APPLIED)

    def save(tx: Transaction) -> IncidentRef:
        row = tx.execute(sa.select(tables.deliveries)).one()
        ref = IncidentRef(connection_id=row.connection_id, incident_id=incident)
        issues.insert_events(tx, ref, [EventFacts.from_delivery_row(row)], Severity.MEDIUM, NOON)
        version = contexts.insert_version(tx, ref, ("test",), NOON)
        document = a_context(version, ref.issue_id).model_dump(mode="json", by_alias=True)
        contexts.mark_version_finished(
            tx, ref, version, ContextState.COMPLETE, NOON, is_degraded=False, document=document
        )
        return ref

    ref = database.write_blocking(save)
    replayer = IncidentReplayer(timedelta(hours=24), gathers_context=True)
    service = PostIncidentService(database, SnapshotReader(database), replayer)
    reader = Principal("k", frozenset({ISSUES_READ, DELIVERIES_READ, PERSONS_READ}), EVERYTHING, who="Ada")
    first = await service.make(reader, ref.issue_id)
    assert first is not None
    calmo = next(part for part in first.parts if part.part is PartName.CALMO)
    assert any(
        "because it is the first event that shows the incident" in each.text for each in calmo.sentences
    )
    assert await service.add(reader, ref.issue_id, PartName.LESSONS, HOSTILE) is not None
    second = await service.make(reader, ref.issue_id)
    assert second is not None
    assert [part.sentences for part in second.parts] == [part.sentences for part in first.parts]
    [addition] = second.parts[-1].additions
    assert (addition.author, addition.text) == ("Ada", HOSTILE)
    assert addition.at <= datetime.now(UTC)
    assert "<b data-evil" not in report_html(second)
    for _ in range(199):
        await service.add(reader, ref.issue_id, PartName.LESSONS, "x")
    with pytest.raises(TooManyAdditions):
        await service.add(reader, ref.issue_id, PartName.LESSONS, "x")
    assert await service.make(reader, "iss_" + "a" * 24) is None
