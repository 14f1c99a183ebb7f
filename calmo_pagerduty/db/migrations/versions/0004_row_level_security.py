"""PostgreSQL: row-level security by scope, in addition to the WHERE of each query.

A transaction that sets `calmo.scopes` sees only rows of these scopes. A transaction that doesn't set it
is the service's own and sees all rows. This applies to the tables' owner too, but not to a superuser.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

#: A subquery is evaluated once per statement, not once per row.
OF_ITS_SCOPE = "scope = ANY ((SELECT string_to_array(current_setting('calmo.scopes', true), ','))::text[])"
OURS = "(SELECT coalesce(current_setting('calmo.scopes', true), '') = '')"

#: By table: the condition that a row belongs to a visible scope.
POLICIES = {
    **dict.fromkeys(
        ("issues", "connections", "webhooks", "tool_calls", "audit", "issue_changes"), OF_ITS_SCOPE
    ),
    "timeline": "EXISTS (SELECT 1 FROM issues WHERE issues.id = timeline.issue_id)",
    "reconciliations": "EXISTS (SELECT 1 FROM connections WHERE connections.id = connection_id)",
    "deliveries": "EXISTS (SELECT 1 FROM webhooks WHERE webhooks.id = webhook_id)",
    "delivery_bodies": "EXISTS (SELECT 1 FROM deliveries WHERE deliveries.seq = delivery_bodies.seq)",
    "refusals": "EXISTS (SELECT 1 FROM webhooks WHERE webhooks.id = webhook_id)",
    "webhook_secrets": "EXISTS (SELECT 1 FROM webhooks WHERE webhooks.id = webhook_id)",
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, of_its_scope in POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY by_scope ON {table} USING ({OURS} OR {of_its_scope})")
