"""Addresses and numbers of people are masked unless they are asked for."""

import json

import pytest

from calmo_pagerduty.tools.plans.people import mask_address
from tests.support.plan_runs import listed, run

ADA = {"id": "PU1", "name": "Ada", "email": "ada.lovelace@example.org", "role": "admin"}
METHODS = {
    "contact_methods": [
        {
            "id": "C1",
            "type": "email_contact_method",
            "label": "ada@home.example",
            "address": "ada@home.example",
        },
        {"id": "C2", "type": "phone_contact_method", "label": "Mobile", "address": "5551234567"},
    ]
}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ada@example.org", "a…@example.org"),
        ("@example.org", "…@example.org"),
        ("5551234567", "…67"),
        ("12", "…"),
        ("", None),
        (None, None),
        (5, None),
    ],
)
def test_a_mask_hides_who_it_is(address: object, shown: str | None) -> None:
    assert mask_address(address) == shown


def test_a_list_of_users_shows_no_address() -> None:
    invited = {"id": "PU2", "name": "bob@example.org", "email": "bob@example.org"}
    done = run("list_users", {}, listed(ADA, invited))
    shown = json.dumps(done.result, ensure_ascii=False)
    assert "lovelace" not in shown and "bob" not in shown
    assert [item["email"] for item in done.result["items"]] == ["a…@example.org", "b…@example.org"]


def test_an_address_is_shown_to_whoever_asks_for_it() -> None:
    assert run("get_user", {"user_id": "PU1"}, {"user": ADA}).result["email"] == "a…@example.org"
    arguments = {"user_id": "PU1", "include_personal_data": True}
    assert run("get_user", arguments, {"user": ADA}).result["email"] == "ada.lovelace@example.org"


def test_contact_methods_are_masked_with_their_labels() -> None:
    hidden = run("list_contact_methods", {"user_id": "PU1"}, METHODS).result["items"]
    assert [(method["type"], method["label"], method["address"]) for method in hidden] == [
        ("email", "a…@home.example", "a…@home.example"),
        ("phone", "Mobile", "…67"),
    ]
    arguments = {"user_id": "PU1", "include_personal_data": True}
    shown = run("list_contact_methods", arguments, METHODS).result["items"]
    assert [method["address"] for method in shown] == ["ada@home.example", "5551234567"]


def test_teams_and_their_members_are_listed_by_name() -> None:
    done = run("list_teams", {"query": "pay"}, listed({"id": "PT1", "name": "Payments", "self": "https://x"}))
    assert (done.lines, done.query()) == (["GET /teams"], {"query": ["pay"]})
    assert done.result["items"] == [{"id": "PT1", "name": "Payments"}]
    member = {"user": ADA, "role": "manager"}
    done = run("list_team_members", {"team_id": "PT1"}, listed(member))
    assert done.lines == ["GET /teams/PT1/members"]
    assert done.result["items"][0] == {
        "id": "PU1", "name": "Ada", "email": "a…@example.org", "role": "admin", "team_role": "manager",
    }  # fmt: skip


def test_the_end_of_an_on_call_is_that_of_the_shift_and_not_of_the_search() -> None:
    user = {"id": "PU1", "type": "user_reference", "summary": "Ada"}
    shift = {"user": user, "start": "2026-03-02T08:00:00Z", "end": "2026-03-02T20:00:00Z"}
    shown = run("get_user_on_call_status", {"user_id": "PU1"}, listed(shift)).result
    assert (shown["on_call"], shown["on_call_until"]) == (True, "2026-03-02T20:00:00Z")
    assert shown["user"] == {"id": "PU1", "summary": "Ada"}
    permanent = {"user": user, "start": None, "end": None}
    always = run("get_user_on_call_status", {"user_id": "PU1"}, listed(shift, permanent)).result
    assert always["on_call"] and "on_call_until" not in always
