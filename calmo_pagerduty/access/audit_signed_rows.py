"""Which rows of the audit must be signed, and whether they are."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from calmo_pagerduty.db.audit_signatures import AuditKeys

#: While processes are upgraded one after the other, those of the version before append rows without a
#: signature between signed ones. Later than this, such a row is not ours.
UPGRADE_TIME = timedelta(days=1)


@dataclass(slots=True)
class SignedRows:
    """Follows the chain's rows in order. `since` is the time (UTC) of the first signed row.

    `signed` and `first` count and number the signed rows among those that it was shown.
    """

    keys: AuditKeys
    since: datetime | None = None
    latest: datetime | None = None
    signed: int = 0
    first: int | None = None

    def fault(self, row: Any) -> str | None:
        """Return what is wrong with the signature of the next row; None if nothing is."""
        if row.signature is None:
            return None if self._may_be_unsigned(row.at) else "its signature is missing"
        fault = self.keys.fault(row.signature, row.seq, row.hash)
        if fault is None:
            self.since = self.since or row.at
            self.latest = row.at
            self.first = self.first or row.seq
            self.signed += 1
        return fault

    def _may_be_unsigned(self, at: datetime) -> bool:
        """The time of the signed row before it counts too: its own may be forged."""
        if self.since is None:
            return True
        return max(at, self.latest or at) <= self.since + UPGRADE_TIME
