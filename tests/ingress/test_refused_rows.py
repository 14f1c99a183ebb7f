"""What the database refuses is the request's fault: it is said at once, and nobody is asked to try again."""

import pytest

from calmo_pagerduty.access.permissions import CONNECTIONS_WRITE
from tests.support.doors import Doorway, make_key


@pytest.mark.each_database
async def test_a_value_that_a_database_can_not_hold_is_400_and_not_503(doorway: Doorway) -> None:
    key = make_key(doorway.database, [CONNECTIONS_WRITE], ["personal:ann"])
    body = {"name": "Ours", "scope": "personal:ann", "severities": {"a\x00b": "critical"}}
    answer = await doorway.client.post("/api/connections", json=body, headers=key)
    # SQLite keeps a NUL in JSON, PostgreSQL does not.
    if doorway.database.commits_in_order:
        assert answer.status_code == 201
    else:
        assert answer.status_code == 400
        assert "can't hold a value" in answer.json()["error"]["message"]
    good = await doorway.client.post("/api/connections", json={**body, "severities": {}}, headers=key)
    assert good.status_code == 201
