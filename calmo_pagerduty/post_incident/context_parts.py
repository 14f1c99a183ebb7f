"""What changed before the incident, and what it reached: from the incident's context. Pure."""

from collections.abc import Iterator

from calmo_pagerduty.contexts.facts import EntityRef
from calmo_pagerduty.contexts.model import Assessment, Candidate
from calmo_pagerduty.contexts.rendering.wording import candidate_text, entity_name
from calmo_pagerduty.post_incident.model import PartName, PostIncidentInput, ReportPart, Sentence
from calmo_pagerduty.post_incident.phrases import join_names, since_start

_NO_CONTEXT = (
    "There is no complete context of this incident. Gather it: calmo-pagerduty context {id} --refresh."
)


def before_part(given: PostIncidentInput) -> ReportPart:
    """Return the candidates for a cause with their chance, then the other changes."""
    assessment = _assessment(given)
    if assessment is None:
        return ReportPart(PartName.BEFORE, lacking=_no_context(given))
    told = {candidate.thing.id for candidate in assessment.root_cause.candidates}
    sentences = [_candidate(candidate) for candidate in assessment.root_cause.candidates]
    sentences += [
        Sentence(
            f"The change “{change.summary.text}” on {_services(change.services)} was"
            f" {since_start(change.at, given.issue.created_at)}.",
            (f"change {change.change.id}",),
            change.at,
        )
        for change in sorted(assessment.changes, key=lambda change: (change.at, change.change.id))
        if change.change.id not in told and change.at <= given.issue.created_at
    ]
    reason = assessment.root_cause.reason
    return ReportPart(PartName.BEFORE, tuple(sentences), (reason,) if reason else ())


def _candidate(candidate: Candidate) -> Sentence:
    kind = "The burst" if candidate.kind == "burst" else f"The {candidate.kind}"
    return Sentence(
        f"{kind} “{candidate.summary.text}” is correlated with it, which doesn't prove a cause:"
        f" {candidate_text(candidate)}.",
        (f"{candidate.kind} {candidate.thing.id}",),
        candidate.at,
    )


def reached_part(given: PostIncidentInput) -> ReportPart:
    """Return the business services above it, services downstream with their incidents, and the impact."""
    assessment = _assessment(given)
    if assessment is None:
        return ReportPart(PartName.REACHED, lacking=_no_context(given))
    sentences = tuple(_reached(assessment))
    lacking = [] if sentences else ["The context names nothing that it reached."]
    if not assessment.surrounding.is_whole:
        lacking.append("Not all dependencies could be read.")
    return ReportPart(PartName.REACHED, sentences, tuple(lacking))


def _reached(assessment: Assessment) -> Iterator[Sentence]:
    for node in assessment.surrounding.business:
        yield Sentence(
            f"The business service {entity_name(node.thing)} depends on it, {_hops(node.hops)}.",
            (f"service {node.thing.id}",),
        )
    for node in assessment.surrounding.downstream:
        failing = " and had an open incident" if node.has_open_incident else ""
        yield Sentence(
            f"The service {entity_name(node.thing)} depends on it, {_hops(node.hops)}{failing}.",
            (f"service {node.thing.id}",),
        )
    for other in assessment.others:
        if other.where == "downstream":
            yield Sentence(
                f"The incident “{other.title.text}” was open on {entity_name(other.service)}, which depends"
                " on it.",
                (f"incident {other.incident.id}",),
                other.created_at,
            )


def _hops(hops: int) -> str:
    return "directly" if hops == 1 else f"over {hops} dependencies"


def _services(services: tuple[EntityRef, ...]) -> str:
    return join_names(entity_name(service) for service in services) or "no service"


def _assessment(given: PostIncidentInput) -> Assessment | None:
    return None if given.context is None else given.context.assessment


def _no_context(given: PostIncidentInput) -> tuple[str, ...]:
    return (_NO_CONTEXT.format(id=given.issue.ref.issue_id),)
