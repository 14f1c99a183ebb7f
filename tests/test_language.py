"""Names that the glossary's terms replaced stay out of the code, and no variable is called `one`.

`docs/glossary.md` holds the terms to use. It checks names where they are made.
"""

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
PRODUCT: Final = ("activities", "bench", "bootstrap", "calmo_pagerduty", "ingress", "workflows")
EVERYTHING: Final = (*PRODUCT, "pagerduty_simulator", "tests")

#: A file without it need not be parsed.
_WORD_ONE: Final = re.compile(r"\bone\b(?! )|\bone (in|=|for)\b")
#: Starts and ends of names that have a plainer word: MAX_, MIN_, MAX_…_LENGTH, _TIMEOUT, _text.
RETIRED_STARTS: Final = ("MOST_", "LEAST_", "LONGEST_")
RETIRED_ENDS: Final = ("_PATIENCE", "_in_words", "_words")
#: Retired name → what took its place. Fields on the wire keep their names: they are not checked.
RETIRED: Final[Mapping[str, str]] = {
    "accepted": "mark_accepted",
    "AccountMemory": "AccountCache",
    "AccountPast": "IncidentHistory",
    "AccountPasts": "IncidentHistoryCache",
    "AccountSpans": "FeedSync",
    "ActionAnswer": "ActionStatus",
    "ActionToTake": "ActionToAccept",
    "Addition": "DerivedEvent",
    "Alike": "SimilarityMatch",
    "alike": "find_similar",
    "Arrivals": "DeliveryEvidence",
    "be_sure_again": "mark_reconciled",
    "beating": "heartbeating",
    "Begun": "StartedAttempt",
    "begun": "get_started_version",
    "BothKinds": "ScheduleLister",
    "busyness": "hourly_rate_ratio",
    "CallAnswer": "CallResult",
    "Caller": "Principal",
    "CallKeeper": "ToolCallSweeper",
    "candidate_words": "candidate_text",
    "card_of": "operator_summary",
    "caught_up": "sync",
    "chance_in_words": "format_chance",
    "chance_of_many": "poisson_tail",
    "chance_of_one": "poisson_at_least_one",
    "clean": "redacted_line",
    "clean_text": "sanitize_text",
    "clean_words": "redact_webhook_id",
    "Complaint": "ErrorBody",
    "ContextToWant": "ContextToRequest",
    "continued": "merge_states",
    "counted": "count_text",
    "Cut": "DeletedBatch",
    "Delivered": "DeliveryTarget",
    "Door": "WebhookReceiver",
    "Echo": "OwnEvent",
    "ended_as": "final_state",
    "Expectation": "ExpectedEvent",
    "Explainer": "ExplanationEndpoints",
    "Face": "Channel",
    "FACES": "CHANNELS",
    "fading": "distance_decay",
    "fading_of": "distance_decays",
    "fetched": "fetch_schedule",
    "file_note": "create_note_call",
    "Filed": "ToolCallTicket",
    "Found": "SourceResult",
    "Frozen": "FrozenModel",
    "Gather": "SourceReader",
    "Gatherers": "ContextActivities",
    "Gathering": "SourceJob",
    "Growing": "IncrementalFeed",
    "Handled": "PastResponse",
    "happen": "apply_transition",
    "Happening": "WebhookTransition",
    "heal_window": "reconcile_window",
    "Healed": "ReconcileCounts",
    "Healers": "ReconcileActivities",
    "Healing": "IncidentReconciler",
    "HealingKeeper": "ReconcileScheduler",
    "Held": "LocalIncident",
    "held": "get_local_incidents",
    "held_open": "list_open_incidents",
    "in_utc": "to_utc",
    "in_words": "describe_fault",
    "instant_of": "parse_instant",
    "is_old": "needs_fetch",
    "IssueActor": "ActionService",
    "IssueReader": "IssueEndpoints",
    "judge_arrivals": "validate_setup",
    "judge_unsigned": "judge_unverified",
    "Kept": "CachedRow",
    "kept": "list_scheduled_connections",
    "KeyUsedOtherwise": "IdempotencyKeyReused",
    "Known": "ExplanationLookup",
    "known": "without_empty",
    "known_as": "update_agent",
    "known_walk": "walk_cached",
    "lacking_sources": "degraded_sources",
    "lacking_words": "degradation_text",
    "lasting_key": "stable_key",
    "left_tests": "list_leftover_tests",
    "LeftOut": "SkipReason",
    "Likeness": "TitleSimilarity",
    "look_again": "reattribute",
    "look_at_targets": "check_targets",
    "look_once": "count_once",
    "looked_after": "list_reconciled_connections",
    "LookedAfter": "ReconciledConnection",
    "masked": "mask_title",
    "Material": "AssessmentRecords",
    "Means": "WebhookTestDeps",
    "means": "fixed_arguments",
    "moment_shown": "format_shown_time",
    "most_alike": "most_similar_ids",
    "Near": "CorrelationWindow",
    "NewRow": "NewAuditRow",
    "not_sent": "mark_not_sent",
    "note_call": "audit_call",
    "Noted": "RateLimitState",
    "NoteToFile": "NoteToWrite",
    "Notice": "TargetNotice",
    "NotPossible": "WebhookConflict",
    "of_incident": "context_of_incident",
    "of_issue": "list_operations",
    "of_known": "cached_result",
    "omissions": "truncations",
    "open_issue": "open_incident_from_issue",
    "OperatorsWord": "OperatorDecision",
    "own_key": "get_or_insert_service_key",
    "PagerDutysOwn": "PagerDutySuggestions",
    "Part": "SchedulePart",
    "partial": "partial_result",
    "past_issue": "past_incident_from_issue",
    "PATIENCE": "PERMIT_TIMEOUT",
    "person_thing": "person_ref",
    "person_words": "person_text",
    "PersonsDecision": "ApproverDecision",
    "Picture": "RestIncident",
    "Place": "CellAddress",
    "published": "publication_of",
    "Puzzle": "DeadLetter",
    "PuzzlesToSetAside": "DeadLettersToSave",
    "Reach": "DependencyNode",
    "read_material": "read_assessment_records",
    "Reading": "BackgroundClient",
    "reason_now": "get_reconcile_reason",
    "recognise": "attribute_events",
    "refuses": "refused_statuses",
    "remember_more": "backfill",
    "Remembered": "CachedIncident",
    "remembered": "get_stale",
    "Responded": "ResponderAction",
    "retell": "update_entries",
    "Saved": "SaveResult",
    "SecretAge": "SecretInfo",
    "Seen": "SubscriptionSnapshot",
    "sent": "mark_sent",
    "set_aside": "insert_dead_letters",
    "Shown": "GraphNode",
    "similar_words": "similarity_text",
    "Standing": "StatusAsOf",
    "Surrounding": "DependencyView",
    "Surroundings": "AssessmentInput",
    "surroundings": "build_assessment_input",
    "switched_off": "get_disabled_webhooks",
    "taken_over": "superseded_entries",
    "takes": "allowed_arguments",
    "TargetsLookedAt": "TargetsChecked",
    "TargetsToLookAt": "TargetsToCheck",
    "Thing": "EntityRef",
    "thing_of": "service_ref",
    "this_issue": "this_incident_from_issue",
    "together": "join_phrases",
    "Together": "Batcher",
    "Told": "FactorScore",
    "told": "matched_entries",
    "ToolCaller": "ToolCallDispatcher",
    "ToolGate": "ToolAuthorizer",
    "ToolRecords": "ToolCallRepository",
    "Tracked": "TrackedIssue",
    "understand": "parse_response",
    "Unfit": "NotDeliverable",
    "unowned": "orphan_findings",
    "Walk": "DeleteBatch",
    "walked": "run_walk",
    "want_context": "request_context",
    "WantContext": "RequestContext",
    "Wanted": "FilterParams",
    "wanted": "context_request_after_merge",
    "WebhookChecks": "WebhookTestEndpoints",
    "WebhookKeeper": "WebhookSweeper",
    "whether_awake": "night_text",
    "WindowToHeal": "WindowToReconcile",
    "with_echoes": "update_attributions",
    "Words": "UntrustedText",
    "words": "untrusted",
}


class Definition(NamedTuple):
    """A class, function, method or module constant, and where it stands."""

    name: str
    place: str


def test_no_variable_is_called_one() -> None:
    places = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        for path in _python_files(EVERYTHING)
        if _WORD_ONE.search(path.read_text())
        for node in ast.walk(_tree(path))
        if "one" in _variables_made_by(node)
    ]
    assert places == [], "name what it holds: `for service in services`"


def test_retired_names_stay_out() -> None:
    wrong = [
        f"{definition.place}: {definition.name} was replaced by {RETIRED[definition.name]}"
        for definition in _definitions()
        if definition.name in RETIRED
    ]
    assert wrong == []


def test_retired_starts_and_ends_of_names_stay_out() -> None:
    wrong = [
        definition
        for definition in _definitions()
        if definition.name.lstrip("_").startswith(RETIRED_STARTS) or definition.name.endswith(RETIRED_ENDS)
    ]
    assert wrong == []


def test_no_retired_name_is_replaced_by_another() -> None:
    assert set(RETIRED) & set(RETIRED.values()) == set()


def _variables_made_by(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            return [name]
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.ExceptHandler(name=str(name)):
            return [name]
        case _:
            return []


def _definitions() -> Iterator[Definition]:
    for path in _python_files(PRODUCT):
        tree = _tree(path)
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        scopes: list[ast.Module | ast.ClassDef] = [tree, *classes]
        for scope in scopes:
            for node in scope.body:
                for name in _names_defined_by(node, in_class=scope is not tree):
                    yield Definition(name, f"{path.relative_to(ROOT)}:{node.lineno}")


def _names_defined_by(node: ast.stmt, in_class: bool) -> list[str]:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Assign(targets=targets) if not in_class:
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)) if not in_class:
            return [name]
        case _:
            return []


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _python_files(folders: tuple[str, ...]) -> list[Path]:
    return [
        *sorted(ROOT.glob("*.py")),
        *(path for name in folders for path in sorted((ROOT / name).rglob("*.py"))),
    ]
