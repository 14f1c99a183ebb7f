"""Put a verified delivery into the inbox."""

from dataclasses import replace

from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.drill_marker_store import mark_drill_incident
from calmo_pagerduty.deliveries.model import DeliveryState, Verdict
from calmo_pagerduty.deliveries.store import NewDelivery, insert_delivery

#: The remark on a delivery about an escalation drill's incident.
DRILL_REMARK = "drill"


def insert_arrival(tx: Transaction, delivery: NewDelivery) -> Verdict:
    """Insert a delivery and return its verdict. That of a drill's incident is for the log only."""
    return insert_delivery(tx, _recorded_if_of_a_drill(tx, delivery))


def _recorded_if_of_a_drill(tx: Transaction, delivery: NewDelivery) -> NewDelivery:
    if delivery.state is not DeliveryState.PENDING or delivery.incident_id is None:
        return delivery
    if not mark_drill_incident(tx, delivery.connection_id, delivery.incident_id, delivery.drill_key):
        return delivery
    remarks = ",".join(filter(None, (delivery.remarks, DRILL_REMARK)))
    return replace(delivery, state=DeliveryState.RECORDED, remarks=remarks)
