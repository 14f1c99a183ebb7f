"""People who sign in through an OpenID provider, and sign-ins that are on their way."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table

from calmo_pagerduty.db.schema import Json, Text, Utc, metadata

people = Table(
    "people",
    metadata,
    Column("issuer", Text, primary_key=True),
    #: The provider's name of the person, which never changes: the claim `sub`.
    Column("subject", Text, primary_key=True),
    Column("role", Text, nullable=False),
    #: The scopes that the person sees; null for an operator.
    Column("scopes", Json),
    #: Who the person is here, such as PagerDuty's id of a user.
    Column("person", Text, nullable=False),
    #: True if somebody here said role and scopes, which then win over the provider's groups.
    Column("is_set", sa.Boolean, nullable=False),
    #: True for a person who is kept out, whatever their groups.
    Column("is_kept_out", sa.Boolean, nullable=False, server_default=sa.false()),
    #: The person's key, whose secret nobody has: sessions belong to it. Null before the first sign-in.
    Column("key_id", Text, ForeignKey("api_keys.id")),
    Column("changed_at", Utc, nullable=False),
    #: Who made the last change: a person, the command line, or the provider by its groups.
    Column("changed_by", Text),
    Column("signed_in_at", Utc),
    Index(None, "key_id"),
)

#: A browser that was sent to the provider. Its cookie holds the secret, of which all else is computed.
sign_in_flows = Table(
    "sign_in_flows",
    metadata,
    Column("secret_sha256", Text, primary_key=True),
    #: The path to go on to.
    Column("next", Text, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Index(None, "expires_at"),
)

#: Logout tokens of the provider that were used: each ends sessions once.
logout_tokens = Table(
    "logout_tokens",
    metadata,
    Column("token_sha256", Text, primary_key=True),
    Column("expires_at", Utc, nullable=False),
    Index(None, "expires_at"),
)
