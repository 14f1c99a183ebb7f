"""Example answers for the OpenAPI document. They are made from the models, so they can't go out of date."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from calmo_pagerduty.contexts.facts import EntityRef, IncidentFacts, UntrustedText
from calmo_pagerduty.contexts.model import (
    Assessment,
    Candidate,
    Contribution,
    Impact,
    IncidentContext,
    RootCause,
    SourceReport,
)
from calmo_pagerduty.contexts.runs import ContextState, context_workflow_id
from calmo_pagerduty.contexts.sources import SOURCES, Source, SourceState
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from ingress.contexts.models import (
    ContextVersionModel,
    ContextVersionsModel,
    GatherModel,
    context_path,
    links_of,
)

_REF = IncidentRef(connection_id="con_abcdefgh", incident_id="Q1CHECKOUT")
_ISSUE = _REF.issue_id
_INCIDENT_CREATED = datetime(2026, 11, 20, 2, 41, tzinfo=UTC)
_STARTED, _FINISHED = _INCIDENT_CREATED + timedelta(seconds=3), _INCIDENT_CREATED + timedelta(seconds=9)
_CHECKOUT = EntityRef(id="PCHECK0", kind="service", name="Checkout API")
_DATABASE = EntityRef(id="PORDERS", kind="service", name="Order database")

_REPORTS = (
    (Source.INCIDENT, SourceState.COMPLETE, ""),
    (Source.CHANGES, SourceState.COMPLETE, ""),
    (Source.PAST_INCIDENTS, SourceState.NOT_IN_PLAN, "the account's plan does not include it"),
)

_CONTEXT = IncidentContext(
    issue_id=_ISSUE, connection_id=_REF.connection_id, incident_id=_REF.incident_id, version=2,
    reasons=("priority raised",), begun_at=_STARTED, finished_at=_FINISHED, requests=14, is_degraded=True,
    sources=tuple(
        SourceReport(
            source=source, title=SOURCES[source].title, state=state, reason=reason, requests=1, seconds=0.3
        )
        for source, state, reason in _REPORTS
    ),
    assessment=Assessment(
        incident=IncidentFacts(
            incident=EntityRef(id=_REF.incident_id, kind="incident", name="#4711"),
            title=UntrustedText(text="Checkout API: error rate above 5 %"), number=4711, status="triggered",
            urgency="high", priority="P2", created_at=_INCIDENT_CREATED, service=_CHECKOUT,
        ),
        root_cause=RootCause(
            candidates=(
                Candidate(
                    kind="change", thing=EntityRef(id="01DEPLOY", kind="change", name="Deploy 2231"),
                    summary=UntrustedText(text="Deploy 2231: smaller connection pool"),
                    at=_INCIDENT_CREATED - timedelta(minutes=9), lead_seconds=540.0, hops=1,
                    path=(_DATABASE, _CHECKOUT), rate_per_day=0.46, chance=0.0029, score=1.78,
                ),
            ),
            considered=17,
        ),
        impact=Impact(
            score=80.0, confidence=0.3, words="high",
            contributions=(
                Contribution(factor="priority", weight=30, points=24, why="P2", source=Source.PRIORITIES),
            ),
        ),
    ),
)  # fmt: skip

CONTEXT_EXAMPLE: Mapping[str, Any] = _CONTEXT.model_dump(mode="json", by_alias=True)
VERSIONS_EXAMPLE: Mapping[str, Any] = ContextVersionsModel(
    issue_id=_ISSUE,
    versions=[
        ContextVersionModel(
            version=2, state=ContextState.COMPLETE, reasons=["priority raised"], begun_at=_STARTED,
            finished_at=_FINISHED, requests=14, is_degraded=True, url=f"{context_path(_ISSUE)}?version=2",
        )
    ],
).model_dump(mode="json")  # fmt: skip
GATHER_EXAMPLE: Mapping[str, Any] = GatherModel(
    issue_id=_ISSUE, incident_id=_REF.incident_id, connection_id=_REF.connection_id, version=3,
    workflow_id=context_workflow_id(_REF),
    workflow_url=f"http://127.0.0.1:8233/namespaces/default/workflows/{context_workflow_id(_REF)}",
    links=links_of(_REF, 3),
).model_dump(mode="json")  # fmt: skip
