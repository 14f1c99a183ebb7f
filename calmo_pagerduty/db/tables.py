"""All tables. Migrations create them; a test compares both."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint

from calmo_pagerduty.db.context_tables import (
    account_changes,
    account_incidents,
    account_objects,
    account_reads,
    context_parts,
    contexts,
)
from calmo_pagerduty.db.digest_tables import oncall_digests
from calmo_pagerduty.db.drill_tables import drill_services, escalation_drills
from calmo_pagerduty.db.finding_tables import analysis_results, finding_events, findings
from calmo_pagerduty.db.operation_tables import operations
from calmo_pagerduty.db.people_tables import logout_tokens, people, sign_in_flows
from calmo_pagerduty.db.post_incident_tables import post_incident_additions
from calmo_pagerduty.db.report_tables import kept_reports, report_addresses, report_deliveries
from calmo_pagerduty.db.scenario_tables import scenarios
from calmo_pagerduty.db.schema import Json, RowNumber, Text, Utc, metadata
from calmo_pagerduty.db.session_tables import dashboard_sessions, saved_views, sign_in_links
from calmo_pagerduty.db.snapshot_tables import (
    account_snapshots,
    oncall_runs,
    snapshot_blobs,
    snapshot_parts,
)
from calmo_pagerduty.db.tool_tables import audit, audit_segments, request_paces, request_permits, tool_calls
from calmo_pagerduty.db.workload_tables import absence_calendars, cover_requests, workload_settings

__all__ = [
    "absence_calendars",
    "account_changes", "account_incidents", "account_objects", "account_reads", "account_snapshots",
    "analysis_results", "api_keys", "audit", "audit_segments", "connections", "context_parts",
    "contexts", "cover_requests",
    "dashboard_sessions", "dead_letters", "deliveries", "delivery_bodies", "drill_services",
    "escalation_drills",
    "finding_events", "findings", "inbox_journals", "issue_changes", "issues", "kept_reports",
    "key_checks", "leases", "logout_tokens", "metadata",
    "oncall_digests", "oncall_runs", "operations", "people", "post_incident_additions",
    "reconciliations", "refusals", "report_addresses", "report_deliveries",
    "request_paces", "request_permits",
    "saved_views", "scenarios", "sign_in_flows", "sign_in_links", "snapshot_blobs", "snapshot_parts",
    "timeline", "tool_calls",
    "webhook_secrets", "webhooks", "workload_settings",
]  # fmt: skip

connections = Table(
    "connections",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("region", Text, nullable=False, server_default="us"),
    #: The connection's own priority names: {"sev1": "critical"}.
    Column("severities", Json, nullable=False, server_default="{}"),
    Column("created_at", Utc, nullable=False),
    #: api_token or oauth; null for a connection that serves webhooks only.
    Column("token_kind", Text),
    Column("token_sealed", sa.LargeBinary),
    Column("token_version", sa.Integer, nullable=False, server_default="0"),
    #: E-mail address of the PagerDuty user in whose name writes are made.
    Column("from_address", Text),
    #: What the connection allows (`tools.permissions.ConnectionRules`).
    Column("rules", Json, nullable=False, server_default="{}"),
    #: What the last test found out about the token (`pagerduty.tokens.TokenInfo`).
    Column("token_facts", Json),
    #: Our share of PagerDuty's limit; null means the default share.
    Column("requests_per_minute", sa.Integer),
    Column("removed_at", Utc),
    #: The watermark: we have all of PagerDuty's events up to this time.
    Column("reconciled_until", Utc),
    #: True if each incident's context is written back as a note.
    Column("context_note", sa.Boolean, nullable=False, server_default=sa.false()),
    #: How soon its incidents must be acknowledged and resolved (`connections.response_targets`).
    Column("response_targets", Json),
    Index(None, "scope"),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    Column("scope", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    #: When the first delivery was verified. Before that, unauthenticated deliveries get 503.
    Column("armed_at", Utc),
    Column("paused_at", Utc),
    Column("deleted_at", Utc),
    Column("name", Text, nullable=False, server_default=""),
    #: The chosen set of events (essential, extended, advanced), and the services or teams.
    Column("event_set", Text, nullable=False, server_default="advanced"),
    Column("service_ids", Json, nullable=False, server_default="[]"),
    Column("team_ids", Json, nullable=False, server_default="[]"),
    #: PagerDuty's ids of the subscriptions, if known. `managed`: we made them, so we delete them.
    Column("subscription_id", Text),
    Column("managed", sa.Boolean, nullable=False, server_default=sa.false()),
    #: When the doctor first saw that PagerDuty had disabled it.
    Column("disabled_at", Utc),
    #: The doctor's latest findings, and their time.
    Column("findings", Json, nullable=False, server_default="[]"),
    Column("examined_at", Utc),
    Index(None, "connection_id"),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("webhook_id", Text, ForeignKey("webhooks.id"), primary_key=True),
    Column("version", sa.Integer, primary_key=True),
    Column("sealed", sa.LargeBinary, nullable=False),
    Column("created_at", Utc, nullable=False),
    #: A replaced secret stays valid until PagerDuty's retries have ended.
    Column("expires_at", Utc),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", RowNumber, primary_key=True, autoincrement=True),
    Column("webhook_id", Text, ForeignKey("webhooks.id"), nullable=False),
    Column("connection_id", Text, nullable=False),
    #: Identifies a repeated delivery: the event's id, else a hash of the body.
    Column("dedup_key", Text, nullable=False),
    Column("delivery_id", Text),
    Column("event_id", Text),
    Column("event_type", Text),
    Column("incident_id", Text),
    Column("occurred_at", Utc),
    Column("received_at", Utc, nullable=False),
    Column("body_bytes", sa.Integer, nullable=False),
    Column("body_sha256", Text, nullable=False),
    Column("secret_version", sa.Integer, nullable=False),
    Column("verdict", Text, nullable=False),
    #: Comma-separated remarks: ping, unknown_type, best_effort, stale.
    Column("remarks", Text, nullable=False, server_default=""),
    Column("reason", Text),
    #: The event facts, as JSON.
    Column("facts", Text),
    Column("state", Text, nullable=False),
    Column("duplicates", sa.Integer, nullable=False, server_default="0"),
    Column("attempts", sa.Integer, nullable=False, server_default="0"),
    Column("forwarded_at", Utc),
    #: When its event was found on the timeline.
    Column("applied_at", Utc),
    Column("replays", sa.Integer, nullable=False, server_default="0"),
    UniqueConstraint("webhook_id", "dedup_key"),
    Index(
        "ix_deliveries_unfinished",
        "state",
        "seq",
        sqlite_where=sa.text("state IN ('pending', 'forwarded')"),
        postgresql_where=sa.text("state IN ('pending', 'forwarded')"),
    ),
    Index(None, "incident_id", "connection_id"),
    sqlite_autoincrement=True,
)

#: In their own table, because each change of a delivery's state rewrites its whole row.
delivery_bodies = Table(
    "delivery_bodies",
    metadata,
    Column("seq", RowNumber, ForeignKey("deliveries.seq"), primary_key=True, autoincrement=False),
    Column("body", sa.LargeBinary, nullable=False),
)

#: Up to where the deliveries of the doors' journals were taken into the inbox (SQLite).
inbox_journals = Table(
    "inbox_journals",
    metadata,
    #: The id that stands in the journal's file.
    Column("id", Text, primary_key=True),
    Column("taken", sa.BigInteger, nullable=False),
    Column("taken_at", Utc, nullable=False),
)

refusals = Table(
    "refusals",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("webhook_id", Text, nullable=False),
    Column("at", Utc, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", sa.Integer, nullable=False),
    Column("body_bytes", sa.Integer, nullable=False),
    Column("body_sha256", Text, nullable=False),
    Index(None, "webhook_id", "at"),
    sqlite_autoincrement=True,
)

issues = Table(
    "issues",
    metadata,
    Column("id", Text, primary_key=True),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    Column("incident_id", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("number", sa.BigInteger),
    Column("urgency", Text),
    Column("priority", Text),
    Column("service_id", Text),
    Column("service", Json),
    Column("escalation_policy", Json),
    Column("assignees", Json, nullable=False),
    Column("assigned_as_of", Utc),
    Column("teams", Json, nullable=False),
    Column("url", Text),
    Column("resolve_reason", Text),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("acknowledged_at", Utc),
    Column("resolved_at", Utc),
    Column("reopened_at", Utc),
    Column("as_of", Utc),
    Column("as_of_seq", sa.BigInteger, nullable=False),
    Column("last_event_type", Text),
    Column("last_event_at", Utc),
    Column("needs_reconcile", sa.Boolean, nullable=False),
    #: What opened it: an incident of PagerDuty, or a finding of ours, which PagerDuty doesn't know.
    Column("origin", Text, nullable=False, server_default="incident"),
    Column("finding_id", sa.BigInteger),
    #: Expected incidents that nobody would be paged for, if a finding opened it.
    Column("expected_dropped", sa.Float),
    UniqueConstraint("connection_id", "incident_id"),
    Index(None, "scope", "created_at"),
    Index(None, "created_at", "id"),
    Index(None, "incident_id"),
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("issue_id", Text, ForeignKey("issues.id"), nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("occurred_at", Utc, nullable=False),
    Column("seq", sa.BigInteger, nullable=False),
    Column("actor", Json),
    Column("summary", Text, nullable=False),
    Column("moved", sa.Boolean, nullable=False),
    #: Who did it through us, and the operation.
    Column("author", Text),
    Column("operation_id", Text),
    #: True for an own event whose operation has its own entry.
    Column("is_echo", sa.Boolean, nullable=False, server_default=sa.false()),
    # The decisive guard against counting an event twice.
    UniqueConstraint("issue_id", "event_id"),
    Index(None, "issue_id", "occurred_at", "seq"),
)

#: Changes of issues in the order of commit. Live readers resume from an id.
issue_changes = Table(
    "issue_changes",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("issue_id", Text, ForeignKey("issues.id"), nullable=False),
    Column("scope", Text, nullable=False),
    Column("at", Utc, nullable=False),
    Column("event_types", Json, nullable=False),
    Column("status", Text, nullable=False),
    sqlite_autoincrement=True,
)

#: Deliveries and events that could not be understood or applied, whole, for a person to look at.
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("at", Utc, nullable=False),
    Column("source", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("payload_sha256", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("handled_at", Utc),
    UniqueConstraint("source", "subject", "payload_sha256"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_sha256", Text, nullable=False),
    Column("permissions", Json, nullable=False),
    #: The scopes that the key sees; null for an operator's key, which sees all scopes.
    Column("scopes", Json),
    #: The key's owner: nobody may approve their own call, with whichever of their keys.
    Column("person", Text),
    #: The teams that the key works for; a connection may have rules for them.
    Column("teams", Json, nullable=False, server_default="[]"),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc),
    Column("revoked_at", Utc),
    #: The key that made this one: revoking it revokes this one, too. Null if the command line made it.
    Column("created_by", Text),
    #: Whose calls are one caller's, whichever key they come with: the person, or the first of rotated keys.
    Column("owner", Text, nullable=False, server_default=""),
    #: True for keys with which the service itself calls tools. They admit no request.
    Column("is_service", sa.Boolean, nullable=False, server_default=sa.false()),
    #: When the key was last used, to within some minutes.
    Column("last_used_at", Utc),
    #: When an agent last read texts from outside with this key, through MCP.
    Column("untrusted_read_at", Utc),
    Index(None, "created_by"),
    Index(None, "owner"),
)

#: Runs of reconciliation: reason, period, and a report of what differed and was added.
reconciliations = Table(
    "reconciliations",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("connection_id", Text, ForeignKey("connections.id"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Utc, nullable=False),
    Column("until", Utc, nullable=False),
    Column("begun_at", Utc, nullable=False),
    Column("finished_at", Utc),
    Column("report", Json),
    Index(None, "connection_id", "id"),
    sqlite_autoincrement=True,
)

#: Holders of exclusive rights.
leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Utc, nullable=False),
)

#: A known text sealed with each key, so that a wrong key is detected at start.
key_checks = Table(
    "key_checks",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("sealed", sa.LargeBinary, nullable=False),
)
