"""Read weekly digests, and what they are made of, within a reader's visibility. Times are UTC."""

import json
from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.connections import store as connection_store
from calmo_pagerduty.db.digest_tables import oncall_digests
from calmo_pagerduty.db.tables import connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.findings import queries as findings
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.oncall.digest import Digest, DigestInputs
from calmo_pagerduty.oncall.digest_codec import digest_from_document

DEFAULT_ZONE = "Etc/UTC"


def get_digest(
    tx: Transaction, visibility: Visibility, connection_id: str, until: datetime | None = None
) -> Digest | None:
    """Return a connection's newest digest, of those that ended by `until` if it is given."""
    query = (
        sa.select(oncall_digests.c.document)
        .join(connections, connections.c.id == oncall_digests.c.connection_id)
        .where(
            visible_to(connections.c.scope, visibility),
            oncall_digests.c.connection_id == connection_id,
        )
        .order_by(oncall_digests.c.until.desc())
        .limit(1)
    )
    if until is not None:
        query = query.where(oncall_digests.c.until <= until)
    document = tx.execute(query).scalar()
    return None if document is None else digest_from_document(json.loads(document))


def get_digest_inputs(
    tx: Transaction, visibility: Visibility, connection_id: str, since: datetime, until: datetime
) -> DigestInputs | None:
    """Return what a digest of this time is made of; None if the caller sees no such connection."""
    connection = connection_store.get_connection(tx, visibility, connection_id)
    if connection is None:
        return None
    told = findings.list_open_or_changed(tx, visibility, connection_id, since, until)
    newest = findings.list_newest_results(tx, visibility, connection_id, until)
    results = [stored.result for stored in newest]
    return DigestInputs(
        connection_id=connection_id,
        connection_name=connection.name,
        time_zone=next((result.time_zone for result in results), DEFAULT_ZONE),
        findings=told,
        events=findings.list_events(tx, [stored.id for stored in told]),
        results=results,
    )
