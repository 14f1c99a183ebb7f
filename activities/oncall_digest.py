"""The activity that makes a weekly digest."""

from temporalio import activity

from calmo_pagerduty.oncall.digest_service import DigestService, DigestSummary, DigestToMake


class DigestActivities:
    """Every activity raises StoreUnavailable."""

    def __init__(self, service: DigestService) -> None:
        self._service = service

    @activity.defn
    async def make_digest(self, order: DigestToMake) -> DigestSummary:
        """Make the digest and keep it. Texts stay in the database: the result holds counts."""
        summary = await self._service.make(order)
        return summary or DigestSummary(connection_id=order.connection_id)
