"""Accept and dismiss findings, and undo that: who, when and why."""

from datetime import UTC, datetime

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.access.permissions import PERSONS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.findings import queries, store
from calmo_pagerduty.findings.issue_store import update_issue
from calmo_pagerduty.findings.lifecycle import (
    FindingDecisionRefused,
    StoredFinding,
    Trigger,
    change_when_decided,
)
from calmo_pagerduty.findings.persons import is_shown


class FindingDecisionService:
    """Decides on findings in a principal's name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def decide(
        self, principal: Principal, finding_id: int, trigger: Trigger, reason: str | None = None
    ) -> StoredFinding | None:
        """Return the finding after the decision (ACCEPT, DISMISS or UNDO); None if the principal sees none.

        Repeating a decision with the same reason changes nothing. Raises FindingDecisionRefused,
        StoreUnavailable.
        """
        now = datetime.now(UTC)
        return await self._database.write(
            lambda tx: decide(tx, principal, finding_id, trigger, reason, now),
            seen_by=principal.visibility,
        )


def decide(
    tx: Transaction,
    principal: Principal,
    finding_id: int,
    trigger: Trigger,
    reason: str | None,
    now: datetime,
) -> StoredFinding | None:
    """As `FindingDecisionService.decide`, within a transaction. Raises FindingDecisionRefused."""
    visible = queries.get_finding(tx, principal.visibility, finding_id)
    if visible is None:
        return None
    scope = store.get_locked_scope(tx, visible.connection_id)
    stored = queries.get_finding(tx, principal.visibility, finding_id)
    if scope is None or stored is None:
        return None
    if not is_shown(stored.finding, principal.persons):
        raise FindingDecisionRefused(
            f"finding {finding_id} is about a person whom this API key may not see: it needs {PERSONS_READ}"
        )
    change = change_when_decided(stored, trigger, reason)
    if change.kind is None:
        return stored
    after = store.update_decided(tx, stored, change, principal.who, now)
    number = store.insert_event(tx, after, change.kind, now, author=principal.who, reason=reason)
    update_issue(tx, scope, after, change, number, now, principal.who)
    # The audit holds no texts of people: the reason stands in the finding's history.
    record = {
        "key_id": principal.key_id,
        "requester": principal.who,
        "outcome": f"finding {change.kind}",
        "connection_id": stored.connection_id,
        "finding_id": finding_id,
    }
    audit.insert_audit_row(tx, str(scope), now, record)
    return queries.get_finding(tx, principal.visibility, finding_id)
