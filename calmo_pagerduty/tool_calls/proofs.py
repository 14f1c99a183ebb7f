"""What the proofs of orders, decisions and drills claim. Our API makes them, and activities check them."""

from datetime import timedelta

#: How long an order may wait until it is filed. A filed order needs no valid proof any more.
ORDER_LIFETIME = timedelta(hours=24)
#: How long a decision may take on its way to the call's workflow.
DECISION_LIFETIME = timedelta(minutes=15)
#: How long a drill may take until it begins.
DRILL_LIFETIME = timedelta(hours=1)


def order_claims(
    key_id: str, connection_id: str, tool: str, arguments_sha256: str, idempotency_key: str
) -> tuple[str, ...]:
    return "order", key_id, connection_id, tool, arguments_sha256, idempotency_key


def decision_claims(call_id: str, arguments_sha256: str, approve: bool, key_id: str) -> tuple[str, ...]:
    return "decision", call_id, arguments_sha256, "approve" if approve else "deny", key_id


def drill_claims(key_id: str, connection_id: str, service_id: str, watch_seconds: int) -> tuple[str, ...]:
    return "drill", key_id, connection_id, service_id, str(watch_seconds)
