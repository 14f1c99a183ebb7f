"""Sessions of the dashboard, the one-time links that begin one, and the views that people saved."""

from sqlalchemy import Column, ForeignKey, Index, Table

from calmo_pagerduty.db.schema import Json, Text, Utc, metadata

#: A browser that has signed in. The browser holds the secret; we store its hash alone.
dashboard_sessions = Table(
    "dashboard_sessions",
    metadata,
    Column("secret_sha256", Text, primary_key=True),
    #: The session may do what this key may, as long as the key is valid.
    Column("key_id", Text, ForeignKey("api_keys.id"), nullable=False),
    #: How the person signed in: a row of the table of ways (`ingress.dashboard.sign_in`).
    Column("way", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    #: Messages for the next page: a list of [kind, text].
    Column("messages", Json, nullable=False, server_default="[]"),
    #: The person's session at the provider (`sid`), which may end this one; null if it told none.
    Column("provider_session_sha256", Text),
    Index(None, "key_id"),
    Index(None, "provider_session_sha256"),
    Index(None, "expires_at"),
)

#: Links that sign in once, such as the one that `up` prints.
sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("secret_sha256", Text, primary_key=True),
    Column("key_id", Text, ForeignKey("api_keys.id"), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("used_at", Utc),
    Index(None, "expires_at"),
)

#: Named filters of the dashboard's lists. They are a person's, whichever of their keys they sign in with.
saved_views = Table(
    "saved_views",
    metadata,
    #: Whose it is (`access.persons.key_owner`).
    Column("owner", Text, primary_key=True),
    #: The list's path below the dashboard's root, such as /issues.
    Column("path", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    #: The filters, as the address's query.
    Column("query", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
)
