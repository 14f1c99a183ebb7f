"""How each table is bounded: what deletes its rows, and when; or what there can only be few of.

`BOUNDS` names every table of the database; a test keeps it total.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from calmo_pagerduty.contexts.sources import CHANGE_LOOKBACK, INCIDENT_LOOKBACK

#: Objects of the account cache that no context used for this long are deleted.
MAX_UNUSED_AGE = timedelta(days=30)
#: Requests for cover tell of people's nights: they are kept for a quarter after the time to cover.
MAX_COVER_REQUEST_AGE = timedelta(days=90)


class Deletion(StrEnum):
    """What is deleted in batches, in this order: a row goes before the row that it refers to."""

    BODIES = "bodies"
    CALL_CONTENTS = "calls"
    DEAD_LETTER_PAYLOADS = "dead_letters"
    DELIVERIES = "deliveries"
    REFUSALS = "refusals"
    FINISHED_CALLS = "finished_calls"
    DEAD_LETTERS = "old_dead_letters"
    ISSUE_CHANGES = "issue_changes"
    RECONCILIATIONS = "reconciliations"
    RESOLVED_ISSUES = "issues"
    CONTEXTS = "contexts"
    DRILLS = "drills"
    CACHED_INCIDENTS = "past_incidents"
    CACHED_CHANGES = "past_changes"
    CACHED_OBJECTS = "account_objects"
    ONCALL_RUNS = "oncall_runs"
    ANALYSIS_RESULTS = "analysis_results"
    FINDING_EVENTS = "finding_events"
    GONE_FINDINGS = "findings"
    DIGESTS = "oncall_digests"
    KEPT_REPORTS = "kept_reports"
    ABSENCE_CALENDARS = "absence_calendars"
    COVER_REQUESTS = "cover_requests"
    SESSIONS = "sessions"
    REVOKED_KEYS = "api_keys"
    SNAPSHOTS = "account_snapshots"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Periods:
    """How long an installation keeps bodies and other contents, ids, and resolved issues."""

    bodies: timedelta
    ids: timedelta
    issues: timedelta

    def __post_init__(self) -> None:
        """A delivery's row is never deleted before its body, nor an issue before its deliveries."""
        object.__setattr__(self, "ids", max(self.ids, self.bodies))
        object.__setattr__(self, "issues", max(self.issues, self.ids))


def _bodies(periods: Periods) -> timedelta:
    return periods.bodies


def _ids(periods: Periods) -> timedelta:
    return periods.ids


def _issues(periods: Periods) -> timedelta:
    return periods.issues


def _always(age: timedelta) -> Callable[[Periods], timedelta]:
    return lambda _periods: age


#: Their own rules say how old they get.
_NOW = _always(timedelta())

#: How old what is deleted must be.
MAX_AGES: Mapping[Deletion, Callable[[Periods], timedelta]] = {
    Deletion.BODIES: _bodies,
    Deletion.CALL_CONTENTS: _bodies,
    Deletion.DEAD_LETTER_PAYLOADS: _bodies,
    Deletion.DELIVERIES: _ids,
    Deletion.REFUSALS: _ids,
    Deletion.FINISHED_CALLS: _ids,
    Deletion.DEAD_LETTERS: _ids,
    Deletion.ISSUE_CHANGES: _bodies,
    Deletion.RECONCILIATIONS: _bodies,
    Deletion.RESOLVED_ISSUES: _issues,
    Deletion.CONTEXTS: _issues,
    Deletion.DRILLS: _ids,
    Deletion.CACHED_INCIDENTS: _always(INCIDENT_LOOKBACK),
    Deletion.CACHED_CHANGES: _always(CHANGE_LOOKBACK),
    Deletion.CACHED_OBJECTS: _always(MAX_UNUSED_AGE),
    Deletion.ONCALL_RUNS: _ids,
    Deletion.ANALYSIS_RESULTS: _ids,
    Deletion.FINDING_EVENTS: _ids,
    Deletion.GONE_FINDINGS: _ids,
    Deletion.DIGESTS: _ids,
    Deletion.KEPT_REPORTS: _ids,
    Deletion.ABSENCE_CALENDARS: _always(MAX_COVER_REQUEST_AGE),
    Deletion.COVER_REQUESTS: _always(MAX_COVER_REQUEST_AGE),
    Deletion.SESSIONS: _NOW,
    Deletion.REVOKED_KEYS: _ids,
    Deletion.SNAPSHOTS: _NOW,
    Deletion.AUDIT: _ids,
}


@dataclass(frozen=True, slots=True)
class Bound:
    """What bounds a table. Without deletions, the sentence says what there can only be few of."""

    sentence: str
    deletions: tuple[Deletion, ...] = ()


_SET_UP = "as many as people set up, removed ones included: what they received refers to them"

BOUNDS: Mapping[str, Bound] = {
    "connections": Bound(_SET_UP),
    "webhooks": Bound(_SET_UP),
    "webhook_secrets": Bound("the valid ones of each webhook: replacing one deletes those that have expired"),
    "deliveries": Bound("CALMO_KEEP_IDS, once they have reached their issue", (Deletion.DELIVERIES,)),
    "delivery_bodies": Bound("CALMO_KEEP_BODIES, once they have reached their issue", (Deletion.BODIES,)),
    "inbox_journals": Bound("one for each file of doors that stood beside the database"),
    "refusals": Bound("CALMO_KEEP_IDS", (Deletion.REFUSALS,)),
    "issues": Bound("open ones, and CALMO_KEEP_ISSUES after they are resolved", (Deletion.RESOLVED_ISSUES,)),
    "timeline": Bound("with their issue", (Deletion.RESOLVED_ISSUES,)),
    "post_incident_additions": Bound("200 for each issue, with their issue", (Deletion.RESOLVED_ISSUES,)),
    "issue_changes": Bound("CALMO_KEEP_BODIES: live readers resume from them", (Deletion.ISSUE_CHANGES,)),
    "dead_letters": Bound(
        "CALMO_KEEP_IDS, payloads CALMO_KEEP_BODIES",
        (Deletion.DEAD_LETTER_PAYLOADS, Deletion.DEAD_LETTERS),
    ),
    "api_keys": Bound("valid ones, and CALMO_KEEP_IDS after they are revoked", (Deletion.REVOKED_KEYS,)),
    "reconciliations": Bound("CALMO_KEEP_BODIES", (Deletion.RECONCILIATIONS,)),
    "leases": Bound("one for each role of a process, and one for each webhook"),
    "key_checks": Bound("one for each master key"),
    "schema_floor": Bound("one for each version of the schema that older programs must not use"),
    "contexts": Bound(
        "20 versions of each issue, and CALMO_KEEP_ISSUES", (Deletion.RESOLVED_ISSUES, Deletion.CONTEXTS)
    ),
    "context_parts": Bound(
        "the newest version's, one for each source", (Deletion.RESOLVED_ISSUES, Deletion.CONTEXTS)
    ),
    "account_objects": Bound("30 days after they were last read", (Deletion.CACHED_OBJECTS,)),
    "account_incidents": Bound("180 days", (Deletion.CACHED_INCIDENTS,)),
    "account_changes": Bound("30 days", (Deletion.CACHED_CHANGES,)),
    "account_reads": Bound("one for each connection and kind"),
    "operations": Bound("with their tool call, or their issue", (Deletion.FINISHED_CALLS,)),
    "tool_calls": Bound(
        "CALMO_KEEP_IDS after they are finished, contents CALMO_KEEP_BODIES",
        (Deletion.CALL_CONTENTS, Deletion.FINISHED_CALLS),
    ),
    "audit": Bound("CALMO_KEEP_IDS, then a sealed segment stands for them", (Deletion.AUDIT,)),
    "audit_segments": Bound("one for a thousand rows of the audit, or one a week"),
    "request_paces": Bound("two for each connection"),
    "request_permits": Bound("one for each connection"),
    "account_snapshots": Bound("all of a day, daily ones of 90 days, then monthly", (Deletion.SNAPSHOTS,)),
    "snapshot_parts": Bound("with their snapshot", (Deletion.SNAPSHOTS,)),
    "snapshot_blobs": Bound("with the last snapshot that has them", (Deletion.SNAPSHOTS,)),
    "oncall_runs": Bound("CALMO_KEEP_IDS", (Deletion.ONCALL_RUNS,)),
    "analysis_results": Bound("CALMO_KEEP_IDS", (Deletion.ANALYSIS_RESULTS,)),
    "findings": Bound(
        "those that are there, and CALMO_KEEP_IDS after they are gone",
        (Deletion.ANALYSIS_RESULTS, Deletion.GONE_FINDINGS),
    ),
    "finding_events": Bound(
        "CALMO_KEEP_IDS, or with their finding",
        (Deletion.ANALYSIS_RESULTS, Deletion.FINDING_EVENTS, Deletion.GONE_FINDINGS),
    ),
    "oncall_digests": Bound("CALMO_KEEP_IDS", (Deletion.DIGESTS,)),
    "kept_reports": Bound("CALMO_KEEP_IDS", (Deletion.KEPT_REPORTS,)),
    "report_addresses": Bound("one for each connection"),
    "report_deliveries": Bound("seven for each report, with their report", (Deletion.KEPT_REPORTS,)),
    "saved_views": Bound("20 for each person and list: saving another is refused"),
    "scenarios": Bound("200 for each connection: saving another is refused"),
    "drill_services": Bound("one for each service that a person named"),
    "escalation_drills": Bound("CALMO_KEEP_IDS", (Deletion.DRILLS,)),
    "workload_settings": Bound("one for each connection"),
    "cover_requests": Bound("90 days after the time to cover", (Deletion.COVER_REQUESTS,)),
    "absence_calendars": Bound("90 days after their last absence", (Deletion.ABSENCE_CALENDARS,)),
    "dashboard_sessions": Bound("until they end", (Deletion.SESSIONS,)),
    "sign_in_links": Bound("until they expire", (Deletion.SESSIONS,)),
    "sign_in_flows": Bound("until they expire", (Deletion.SESSIONS,)),
    "logout_tokens": Bound("until they expire", (Deletion.SESSIONS,)),
    "people": Bound("one for each person of the provider who signed in or was set"),
}
