"""PagerDuty's JSON is understood as its documentation, its examples and its contradictions have it."""

from typing import Any

import pytest

from calmo_pagerduty.snapshots.incident_parsing import (
    parse_incident,
    parse_log_record,
    parse_raw_incident,
)
from calmo_pagerduty.snapshots.model import (
    AssignmentStrategy,
    ContactKind,
    ContactMethod,
    Entry,
    IntendedHole,
    LogKind,
    NotificationRule,
    Override,
    SupportHours,
    TargetKind,
    Urgency,
    UrgencyKind,
    UrgencyRule,
)
from calmo_pagerduty.snapshots.parsing import (
    parse_maintenance,
    parse_managers,
    parse_policy,
    parse_scores,
    parse_service,
    parse_support_hours,
    parse_urgency_rule,
    parse_user,
)
from calmo_pagerduty.snapshots.schedule_parsing import (
    is_rendered,
    parse_layer_schedule,
    parse_shift_schedule,
    rendered_overrides,
    shift_sources,
)

DAY = 86_400
MIDNIGHT = 1_767_225_600  # 2026-01-01T00:00:00Z
PARSERS = (
    parse_policy, parse_service, parse_user, parse_maintenance, parse_incident, parse_raw_incident,
    parse_log_record, parse_layer_schedule, parse_shift_schedule,
)  # fmt: skip


def user(user_id: str) -> dict[str, Any]:
    return {"id": user_id, "type": "user_reference"}


def entry(user_id: str, start: str, end: str) -> dict[str, Any]:
    return {"user": user(user_id), "start": start, "end": end}


@pytest.mark.parametrize("parse", PARSERS)
def test_what_has_no_id_is_left_out_and_no_oddity_raises(parse: Any) -> None:
    assert parse({}) is None
    assert parse({"id": "../users"}) is None
    for odd in (None, 7, "x", [], {}, [None], [7], {"id": 7}, True):
        names = (
            "name", "escalation_rules", "teams", "support_hours", "incident_urgency_rule", "contact_methods",
            "notification_rules", "schedule_layers", "final_schedule", "overrides_subschedule", "rotations",
            "services", "start_time", "end_time", "channel", "agent", "assignees", "incident", "created_at",
            "service", "time_zone", "html_url", "auto_pause_notifications_parameters", "resolved_at", "type",
            "status", "service_id", "acknowledgement_timeout",
        )  # fmt: skip
        parse({"id": "PX", **dict.fromkeys(names, odd)})


def test_a_policy_has_levels_with_targets_of_both_kinds_and_either_form_of_round_robin() -> None:
    policy = parse_policy(
        {
            "id": "PPOL",
            "name": "Shop\u202e",
            "html_url": "https://acme.pagerduty.com/escalation_policies/PPOL",
            "num_loops": 2,
            "teams": [{"id": "PTEAM"}],
            "escalation_rules": [
                {
                    "id": "PR1",
                    "escalation_delay_in_minutes": 5,
                    "targets": [
                        {"id": "PSCHED", "type": "schedule_v3_reference"},
                        {"id": "PADA", "type": "user_reference"},
                        {"id": "PNEW", "type": "something_new"},
                    ],
                    "escalation_rule_assignment_strategy": {"type": "round_robin"},
                },
                {"targets": [], "escalation_rule_assignment_strategy": "round_robin"},
                {"escalation_rule_assignment_strategy": "assign_to_everyone"},
            ],
        }
    )
    assert policy is not None
    assert (policy.name, policy.num_loops, policy.team_ids) == ("Shop", 2, ("PTEAM",))
    assert [(target.kind, target.id) for target in policy.rules[0].targets] == [
        (TargetKind.SCHEDULE, "PSCHED"),
        (TargetKind.USER, "PADA"),
    ]
    assert [rule.is_round_robin for rule in policy.rules] == [True, True, False]
    assert [rule.id for rule in policy.rules] == ["PR1", "PPOL:2", "PPOL:3"]


def test_a_link_that_leads_elsewhere_is_left_out() -> None:
    policy = parse_policy({"id": "PPOL", "html_url": "https://evil.example/PPOL"})
    assert policy is not None and policy.html_url is None


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"type": "constant", "urgency": "high"}, UrgencyRule(UrgencyKind.CONSTANT, Urgency.HIGH)),
        ({"type": "constant", "urgency": "severity_based"}, UrgencyRule(UrgencyKind.SEVERITY_BASED, None)),
        (
            {
                "type": "use_support_hours",
                "during_support_hours": {"type": "constant", "urgency": "high"},
                "outside_support_hours": {"type": "constant", "urgency": "severity_based"},
            },
            UrgencyRule(UrgencyKind.USE_SUPPORT_HOURS, Urgency.HIGH, None),
        ),
        ({"type": "constant"}, None),
        (None, None),
    ],
)
def test_urgency_rules(rule: Any, expected: UrgencyRule | None) -> None:
    assert parse_urgency_rule(rule) == expected


def test_support_hours_are_seconds_since_local_midnight() -> None:
    hours = {
        "type": "fixed_time_per_day",
        "time_zone": "Eastern Time (US & Canada)",
        "days_of_week": [5, 1, 1, 9, "x", True],
        "start_time": "09:00:00",
        "end_time": "17:30:00",
    }
    assert parse_support_hours(hours) == SupportHours(
        "Eastern Time (US & Canada)", (1, 5), 9 * 3600, 17 * 3600 + 1800
    )
    assert parse_support_hours({**hours, "days_of_week": None}) is None
    assert parse_support_hours(None) is None


def test_a_service_says_what_never_happens_and_what_is_unknown() -> None:
    service = parse_service(
        {
            "id": "PSHOP",
            "name": "Basket",
            "status": "disabled",
            "acknowledgement_timeout": None,
            "auto_resolve_timeout": 14_400,
            "auto_pause_notifications_parameters": {"enabled": False, "timeout": 300},
            "escalation_policy": {"id": "PPOL"},
        }
    )
    assert service is not None
    assert (service.acknowledgement_timeout, service.auto_resolve_timeout) == (None, 14_400)
    assert service.auto_pause_seconds == 0
    unknown = parse_service({"id": "PSHOP"})
    assert unknown is not None and unknown.auto_pause_seconds is None and unknown.policy_id is None


def test_a_persons_address_is_never_kept() -> None:
    person = parse_user(
        {
            "id": "PADA",
            "name": "Ada",
            "time_zone": "Europe/Berlin",
            "email": "ada@example.com",
            "contact_methods": [
                {
                    "id": "C1",
                    "type": "sms_contact_method",
                    "label": "Mobile",
                    "address": "1701234567",
                    "enabled": True,
                    "blacklisted": False,
                },
                {"id": "C2", "type": "email_contact_method", "label": "me@x.org", "address": "me@x.org"},
                {"id": "C3", "type": "carrier_pigeon_contact_method"},
            ],
            "notification_rules": [
                {
                    "id": "N1",
                    "type": "assignment_notification_rule",
                    "urgency": "high",
                    "start_delay_in_minutes": 0,
                    "contact_method": {"id": "C1", "type": "sms_contact_method_reference"},
                },
                {"id": "N2", "type": "oncall_handoff_notification_rule", "contact_method": {"id": "C1"}},
            ],
        }
    )
    assert person is not None
    assert "1701234567" not in repr(person) and "@" not in repr(person)
    assert person.contact_methods == (
        ContactMethod("C1", ContactKind.SMS, "Mobile", True, False),
        ContactMethod("C2", ContactKind.EMAIL),
    )
    assert person.notification_rules == (NotificationRule("N1", Urgency.HIGH, 0, "C1"),)


@pytest.mark.parametrize("methods", [None, [{"id": "C1", "type": "sms_contact_method_reference"}]])
def test_what_the_token_may_not_read_of_a_person_is_unknown_and_not_nothing(methods: Any) -> None:
    person = parse_user({"id": "PADA", "contact_methods": methods, "notification_rules": []})
    assert person is not None
    assert person.contact_methods is None and person.notification_rules == ()


def test_a_teams_managers_and_a_services_scores() -> None:
    members = [
        {"user": user("PBOB"), "role": "manager"},
        {"user": user("PADA"), "role": "manager"},
        {"user": user("PEVE"), "role": "responder"},
    ]
    assert parse_managers(members) == ("PADA", "PBOB")
    row = {"id": "S1", "name": "Has a description", "pass": False, "active": True}
    [score] = parse_scores({"resource_id": "PSHOP", "standards": [row, {**row, "active": False}, {}]})
    assert (score.resource_id, score.passed) == ("PSHOP", False)


def layered(*layers: dict[str, Any], final: list[Any], overrides: list[Any] | None = None) -> dict[str, Any]:
    return {
        "id": "PSCHED",
        "type": "schedule",
        "name": "Shop",
        "time_zone": "Europe/Berlin",
        "schedule_layers": list(layers),
        "final_schedule": {"rendered_schedule_entries": final, "rendered_coverage_percentage": 100},
        "overrides_subschedule": {"rendered_schedule_entries": overrides or []},
    }


def layer(layer_id: str, user_id: str, *shown: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": layer_id,
        "start": "2026-01-01T00:00:00Z",
        "end": None,
        "rotation_virtual_start": "2025-12-31T23:00:00+00:00",
        "rotation_turn_length_seconds": DAY,
        "users": [{"user": user(user_id)}],
        "restrictions": [
            {"type": "daily_restriction", "start_time_of_day": "08:00:00", "duration_seconds": 36_000}
        ],
        "rendered_schedule_entries": list(shown),
    }


def test_a_schedule_of_layers_is_read_with_its_entries_in_utc() -> None:
    shown = entry("PADA", "2026-01-01T01:00:00+01:00", "2026-01-02T01:00:00+01:00")
    schedule = parse_layer_schedule(layered(layer("L1", "PADA", shown), final=[shown]))
    assert schedule is not None
    assert schedule.entries == (Entry(MIDNIGHT, MIDNIGHT + DAY, "PADA"),)
    assert schedule.rendered_coverage_percentage == 100.0
    [only] = schedule.layers
    assert only.rotation_virtual_start == MIDNIGHT - 3600
    assert (only.restrictions[0].start_time_of_day, only.restrictions[0].duration) == (8 * 3600, 36_000)
    assert len(schedule.version) == 64


@pytest.mark.parametrize("turned", [False, True])
def test_the_final_schedule_decides_which_layer_wins(turned: bool) -> None:
    day = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    low, high = layer("LOW", "PADA", entry("PADA", *day)), layer("HIGH", "PBOB", entry("PBOB", *day))
    layers = [high, low] if turned else [low, high]
    schedule = parse_layer_schedule(layered(*layers, final=[entry("PBOB", *day)]))
    assert schedule is not None and [found.id for found in schedule.layers] == ["HIGH", "LOW"]


def test_an_override_is_no_evidence_of_which_layer_wins() -> None:
    day = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    by_override = [entry("PADA", *day)]
    low, high = layer("LOW", "PADA", entry("PADA", *day)), layer("HIGH", "PBOB", entry("PBOB", *day))
    item = layered(high, low, final=by_override, overrides=by_override)
    schedule = parse_layer_schedule(item)
    assert schedule is not None and [found.id for found in schedule.layers] == ["HIGH", "LOW"]
    assert rendered_overrides(item) == schedule.overrides
    assert schedule.overrides == (Override(f"{MIDNIGHT}:PADA", MIDNIGHT, MIDNIGHT + DAY, "PADA"),)
    listed = parse_layer_schedule(item, [{"id": "O1", **entry("PADA", *day)}])
    assert listed is not None and listed.overrides[0].id == "O1"


def test_a_schedule_that_was_not_rendered_has_unknown_entries() -> None:
    item = layered(final=[])
    assert is_rendered(item)
    fields: tuple[dict[str, Any], ...] = ({}, {"final_schedule": {"rendered_schedule_entries": []}})
    for given in fields:
        bare = {"id": "PSCHED", **given}
        schedule = parse_layer_schedule(bare)
        assert not is_rendered(bare) and schedule is not None and schedule.entries is None
    empty = parse_layer_schedule(item)
    assert empty is not None and empty.entries == ()


def shifts(*rows: dict[str, Any], members: list[Any] | None = None) -> dict[str, Any]:
    return {
        "id": "PV3",
        "name": "Flexible",
        "time_zone": "Europe/Berlin",
        "rotations": [
            {
                "id": "ROT",
                "type": "schedule_rotation",
                "events": [
                    {
                        "id": "EV",
                        "name": "Days",
                        "start_time": {
                            "date_time": "2026-01-01T09:00:00+01:00",
                            "time_zone": "Europe/Berlin",
                        },
                        "end_time": {"date_time": "2026-01-01T17:00:00+01:00", "time_zone": "Europe/Berlin"},
                        "effective_since": "2026-01-01T00:00:00Z",
                        "effective_until": None,
                        "recurrence": ["RRULE:FREQ=DAILY"],
                        "assignment_strategy": {
                            "type": "rotating_member_assignment_strategy",
                            "shifts_per_member": 2,
                            "members": members or [{"type": "user_member", "user_id": "PADA"}],
                        },
                    }
                ],
            }
        ],
        "final_schedule": {
            "type": "final_schedule",
            "rendered_coverage_percentage": 33.3,
            "computed_shift_assignments": list(rows),
        },
    }


def shift(member: str | None, hour: int, source: dict[str, str]) -> dict[str, Any]:
    return {
        "start_time": f"2026-01-01T{hour:02}:00:00Z",
        "end_time": f"2026-01-01T{hour + 1:02}:00:00Z",
        "member": {"type": "user_member", "user_id": member} if member else {"type": "empty_member"},
        "source": source,
    }


BY_ROTATION = {"type": "schedule_rotation", "rotation_id": "ROT"}
BY_CUSTOM_SHIFT = {"type": "custom_shift", "shift_id": "CS"}
BY_OVERRIDE = {"type": "schedule_rotation_override", "rotation_id": "ROT", "override_id": "OV"}


def test_a_schedule_of_shifts_keeps_the_source_of_each_entry() -> None:
    rows = [shift("PADA", 8, BY_ROTATION), shift("PBOB", 8, BY_CUSTOM_SHIFT), shift("PEVE", 9, BY_OVERRIDE)]
    schedule = parse_shift_schedule(
        shifts(*rows),
        [{"id": "CS", **rows[1], "assignments": [{"member": rows[1]["member"]}]}],
        [
            {
                "id": "OV",
                **rows[2],
                "rotation_id": "ROT",
                "overridden_member": {"type": "user_member", "user_id": "PADA"},
                "overriding_member": rows[2]["member"],
            }
        ],
    )
    assert schedule is not None and schedule.entries is not None
    assert [(found.user_id, found.source) for found in schedule.entries] == [
        ("PADA", "schedule_rotation:ROT"),
        ("PBOB", "custom_shift:CS"),
        ("PEVE", "schedule_rotation_override:OV"),
    ]
    event = schedule.rotations[0].events[0]
    assert (event.strategy, event.shifts_per_member, event.member_ids) == (
        AssignmentStrategy.ROTATING,
        2,
        ("PADA",),
    )
    assert event.first_start == MIDNIGHT + 8 * 3600
    assert schedule.custom_shifts[0].user_id == "PBOB"
    assert schedule.overrides[0].overridden_user_id == "PADA"
    assert shift_sources(shifts(*rows)) == {"custom_shift", "override"}
    assert shift_sources(shifts(rows[0])) == frozenset()


def test_only_a_hole_that_somebody_planned_is_intended() -> None:
    rows = [shift(None, 8, BY_ROTATION), shift(None, 9, BY_OVERRIDE)]
    unplanned = parse_shift_schedule(shifts(*rows))
    assert unplanned is not None and unplanned.entries == ()
    assert [hole.source for hole in unplanned.intended_holes] == ["schedule_rotation_override:OV"]
    planned = parse_shift_schedule(shifts(rows[0], members=[{"type": "empty_member"}]))
    start = MIDNIGHT + 8 * 3600
    assert planned is not None
    assert planned.intended_holes == (IntendedHole(start, start + 3600, "schedule_rotation:ROT"),)


def test_an_incident_of_the_analytics_has_times_without_an_offset() -> None:
    incident = parse_raw_incident(
        {
            "id": "PINC",
            "incident_number": 7,
            "created_at": "2026-01-01T00:00:00",
            "resolved_at": "2026-01-01T00:10:00",
            "service_id": "PSHOP",
            "escalation_policy_id": "PPOL",
            "urgency": "low",
            "status": "resolved",
            "auto_resolved": True,
            "team_id": None,
            "description": "The basket is slow",
        }
    )
    assert incident is not None and incident.is_auto_resolved is True
    assert (incident.created_at, incident.resolved_at) == (MIDNIGHT, MIDNIGHT + 600)
    assert "basket" not in repr(incident)


def test_an_incident_of_the_list_may_lack_its_time_of_resolution() -> None:
    item = {
        "id": "PINC",
        "created_at": "2026-01-01T00:00:00Z",
        "service": {"id": "PSHOP"},
        "status": "resolved",
        "resolved_at": None,
        "last_status_change_at": "2026-01-01T00:10:00Z",
        "last_status_change_by": {"id": "PSHOP", "type": "service_reference"},
        "urgency": "high",
    }
    incident = parse_incident(item)
    assert incident is not None
    assert (incident.resolved_at, incident.is_auto_resolved) == (MIDNIGHT + 600, True)
    still_open = parse_incident({**item, "status": "acknowledged"})
    assert still_open is not None and still_open.resolved_at is None and still_open.is_auto_resolved is None


def log_entry(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": "R1",
        "type": f"{kind}_log_entry",
        "created_at": "2026-01-01T00:00:00Z",
        "incident": {"id": "PINC"},
        "agent": {"id": "PSHOP", "type": "service_reference"},
        "channel": {"type": "auto"},
        **fields,
    }


def test_a_notification_says_whom_it_reached_and_how() -> None:
    channel = {"type": "auto", "notification": {"type": "phone_notification", "address": "+491701234567"}}
    record = parse_log_record(log_entry("notify", user=user("PADA"), channel=channel))
    assert record is not None
    assert (record.kind, record.user_ids, record.channel) == (LogKind.NOTIFY, ("PADA",), ContactKind.PHONE)
    assert "170" not in repr(record)


@pytest.mark.parametrize(
    ("fields", "by_timeout"),
    [
        ({"channel": {"type": "timeout"}}, True),
        ({}, True),
        ({"agent": {"id": "PBOB", "type": "user_reference"}, "channel": {"type": "website"}}, False),
        ({"channel": {"type": "api"}}, False),
    ],
)
def test_an_escalation_says_whether_nobody_answered(fields: dict[str, Any], by_timeout: bool) -> None:
    record = parse_log_record(log_entry("escalate", assignees=[user("PADA"), user("PBOB")], **fields))
    assert record is not None
    assert (record.by_timeout, record.user_ids) == (by_timeout, ("PADA", "PBOB"))


def test_an_entry_of_no_use_is_left_out_and_a_person_is_told_from_automation() -> None:
    assert parse_log_record(log_entry("custom_field_value_change")) is None
    by_person = parse_log_record(log_entry("acknowledge", agent={"id": "PADA", "type": "user_reference"}))
    by_itself = parse_log_record(log_entry("resolve"))
    assert by_person is not None and by_person.agent_id == "PADA" and by_person.by_timeout is None
    assert by_itself is not None and by_itself.agent_id is None
