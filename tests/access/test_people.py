"""People whom an operator gives a role, changes and removes."""

from datetime import UTC, datetime, timedelta

import pytest

from calmo_pagerduty.access import people_service, session_store, sign_in_flow_store, store as api_keys
from calmo_pagerduty.access.roles import make_grant
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.retention import store as retention
from tests.support.doors import rows

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
ISSUER = "https://idp.example"
ADMINISTRATOR = make_grant("administrator", ["organization:acme"])


@pytest.mark.each_database
def test_keys_that_a_person_made_end_when_the_person_may_do_less(database: Database) -> None:
    def story(t):  # type: ignore[no-untyped-def]  # steps of one transaction
        people_service.set_person(t, ISSUER, "ada", ADMINISTRATOR, None, NOW)
        principal = people_service.admit_person(t, ISSUER, "ada", None, None, NOW)
        assert principal is not None
        made = [
            api_keys.parse_key_id(
                api_keys.insert_key(t, name, [name], ADMINISTRATOR.scopes, NOW, created_by=principal.key_id)
            )
            for name in ("issues:read", "connections:admin")
        ]
        viewer = make_grant("viewer", ["organization:acme"])
        people_service.set_person(t, ISSUER, "ada", viewer, None, NOW)
        now_may = api_keys.get_principal(t, principal.key_id, NOW)
        assert now_may is not None
        assert now_may.permissions == viewer.permissions
        assert [api_keys.get_principal(t, key, NOW) is not None for key in made] == [True, False]
        people_service.remove_person(t, ISSUER, "ada", False, NOW)
        assert [api_keys.get_principal(t, key, NOW) for key in (principal.key_id, *made)] == [None] * 3

    database.write_blocking(story)
    outcomes = [row.record for row in rows(database, tables.audit)]
    assert sum("person removed" in record for record in outcomes) == 1
    assert sum("api key revoked" in record for record in outcomes) == 3


def test_nobody_is_removed_who_is_not_known(database: Database) -> None:
    with pytest.raises(people_service.NobodyKnown, match="people list"):
        database.write_blocking(lambda t: people_service.remove_person(t, ISSUER, "eve", False, NOW))


@pytest.mark.each_database
def test_the_sweep_deletes_ended_sessions_links_and_sign_ins_and_no_others(database: Database) -> None:
    def insert(t):  # type: ignore[no-untyped-def]  # steps of one transaction
        key = api_keys.parse_key_id(api_keys.insert_key(t, "k", ["issues:read"], None, NOW))
        for at in (NOW - timedelta(days=8), NOW):
            session_store.insert_session(t, key, "key", at)
            session_store.insert_link(t, key, at)
            sign_in_flow_store.insert_flow(t, "/dashboard/now", at)

    database.write_blocking(insert)
    deleted = database.write_blocking(lambda t: retention.delete_sessions(t, 0, NOW))
    assert (deleted.rows, deleted.next_after) == (3, None)
    for table in (tables.dashboard_sessions, tables.sign_in_links, tables.sign_in_flows):
        assert len(rows(database, table)) == 1
