"""The permissions of API keys."""

ISSUES_READ = "issues:read"
METRICS_READ = "metrics:read"
WEBHOOKS_READ = "webhooks:read"
WEBHOOKS_WRITE = "webhooks:write"
CONNECTIONS_READ = "connections:read"
CONNECTIONS_WRITE = "connections:write"
#: Only administrators may enable writes for an organisation's connection.
CONNECTIONS_ADMIN = "connections:admin"
TOOLS_READ = "tools:read"
TOOLS_WRITE = "tools:write"
#: Allows ordering calls through Temporal, with orders that our API signs.
TOOLS_TEMPORAL = "tools:temporal"
APPROVALS_WRITE = "approvals:write"
AUDIT_READ = "audit:read"
DELIVERIES_READ = "deliveries:read"
#: Allows reading bodies, which hold texts of people. WEBHOOKS_WRITE, which allows replays, implies it.
DELIVERIES_BODY = "deliveries:body"
KEYS_WRITE = "keys:write"
#: Findings and reports of the on-call analyses.
FINDINGS_READ = "findings:read"
#: Accept and dismiss findings.
FINDINGS_WRITE = "findings:write"
#: What single persons did or bear: hours, nights, pages. Without it, reports show teams (`access.persons`).
PERSONS_READ = "persons:read"

#: Users' e-mail addresses and phone numbers, unmasked. `persons:read` is about what people did; this is for
#: who must reach them.
PERSONAL_READ = "personal:read"

#: All permissions. The first key, which `up` makes, has them.
ALL_PERMISSIONS = (
    ISSUES_READ, METRICS_READ, WEBHOOKS_READ, WEBHOOKS_WRITE, CONNECTIONS_READ, CONNECTIONS_WRITE,
    CONNECTIONS_ADMIN, TOOLS_READ, TOOLS_WRITE, APPROVALS_WRITE, AUDIT_READ,
    DELIVERIES_READ, DELIVERIES_BODY, KEYS_WRITE,
    FINDINGS_READ, FINDINGS_WRITE, PERSONS_READ, PERSONAL_READ, TOOLS_TEMPORAL,
)  # fmt: skip
