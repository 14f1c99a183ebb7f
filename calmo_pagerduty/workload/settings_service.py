"""The settings of workload reports: drafts, and what a manager put in force."""

from datetime import UTC, datetime

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.workload import queries, store
from calmo_pagerduty.workload.queries import StoredSettings
from calmo_pagerduty.workload.rules import WorkloadSettings, parse_settings


class NotPublished(ExplainedError):
    """There is no draft, or it was published or changed meanwhile. The message says which."""


class WorkloadSettingsService:
    """Reads and writes a connection's settings. Every method raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, visibility: Visibility, connection_id: str) -> StoredSettings:
        """Return the stored documents; empty ones if there are none."""
        return await self._database.read(
            lambda t: queries.get_settings(t, visibility, connection_id), visibility
        )

    async def in_force(self, visibility: Visibility, connection_id: str) -> WorkloadSettings:
        """Return what was published, else the defaults."""
        stored = await self.get(visibility, connection_id)
        return (
            WorkloadSettings()
            if stored.published is None
            else WorkloadSettings.model_validate(stored.published)
        )

    async def save_draft(
        self, principal: Principal, connection_id: str, scope: str, text: str | None
    ) -> StoredSettings:
        """Replace the draft by a JSON or TOML document; None drops it. Raises InvalidSettings."""
        draft = None if text is None else parse_settings(text).model_dump(mode="json")
        now = datetime.now(UTC)

        def write(tx: Transaction) -> StoredSettings:
            store.mark_drafted(tx, connection_id, draft, principal.who, now)
            _audit(tx, principal, scope, connection_id, "workload settings drafted", now)
            return queries.get_settings(tx, principal.visibility, connection_id)

        return await self._database.write(write, seen_by=principal.visibility)

    async def publish(self, principal: Principal, connection_id: str, scope: str) -> StoredSettings:
        """Put the draft in force. Raises NotPublished."""
        now = datetime.now(UTC)

        def write(tx: Transaction) -> StoredSettings:
            stored = queries.get_settings(tx, principal.visibility, connection_id)
            if stored.draft is None:
                raise NotPublished("there is no draft to publish: write one first")
            if not store.mark_published(tx, connection_id, stored.version, principal.who, now):
                raise NotPublished("the draft was published or dropped meanwhile")
            _audit(tx, principal, scope, connection_id, "workload settings published", now)
            return queries.get_settings(tx, principal.visibility, connection_id)

        return await self._database.write(write, seen_by=principal.visibility)


def _audit(
    tx: Transaction, principal: Principal, scope: str, connection_id: str, outcome: str, now: datetime
) -> None:
    record = {"connection_id": connection_id, "key_id": principal.key_id, "outcome": outcome}
    audit.insert_audit_row(tx, scope, now, record)
