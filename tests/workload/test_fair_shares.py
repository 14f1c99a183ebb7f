"""Hours are judged as design, pages against chance; nothing is found in a fair rota, whatever its phase."""

from dataclasses import replace

import numpy as np
import pytest

from calmo_pagerduty.access.persons import ALL_PERSONS, NO_PERSONS, PersonVisibility
from calmo_pagerduty.findings.codec import result_document
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import AccountSnapshot, Schedule, Team
from calmo_pagerduty.workload import findings as codes
from calmo_pagerduty.workload.analysis import analyse
from calmo_pagerduty.workload.debt import begin, carry, fairer, least_loaded_first, ledger_of, pools_in
from calmo_pagerduty.workload.document import workload_document
from calmo_pagerduty.workload.limits import min_people
from calmo_pagerduty.workload.privacy import may_see
from calmo_pagerduty.workload.report import workload_report
from tests.support.rotas import NOW, WEEK, paged_account, person, rota
from tests.support.small_accounts import DAY, HOUR, MONDAY, account, schedule

SIX = ["U1", "U2", "U3", "U4", "U5", "U6"]
DAILY = rota("S1", SIX, turn=DAY)
#: The turns of the four weeks that a report looks back on.
PAST_TURNS = [entry for entry in DAILY.entries or () if NOW - 28 * DAY <= entry.start < NOW]


def found_codes(snapshot: AccountSnapshot) -> set[str]:
    return {finding.code for finding in analyse(snapshot, NOW).findings}


def with_pages(*counts: int) -> AccountSnapshot:
    """Six people take daily turns, with pages every other hour of them until each one's count is full."""
    pages = []
    for user_id, count in zip(SIX, counts, strict=True):
        turns = [entry.start for entry in PAST_TURNS if entry.user_id == user_id]
        hours = [(start, hour) for hour in range(1, 24, 2) for start in turns]
        pages += [(user_id, start + hour * HOUR) for start, hour in hours[:count]]
    return paged_account(DAILY, pages)


@pytest.mark.parametrize("people", [2, 3, 4, 5, 6, 7, 9, 13])
@pytest.mark.parametrize("phase", [0, 1, 3])
def test_a_rota_of_equal_turns_is_fair_whatever_its_phase(people: int, phase: int) -> None:
    order = [f"U{number:02}" for number in range(people)]
    snapshot = paged_account(rota("S1", order, since=NOW - phase * DAY), [])
    assert found_codes(snapshot) == set()


def test_a_person_with_two_of_four_turns_is_above_the_target_at_all_weights() -> None:
    result = analyse(paged_account(rota("S1", ["U1", "U2", "U1", "U3"]), []), NOW)
    by_code = {finding.code: finding for finding in result.findings}
    assert set(by_code) == {codes.PERSON_HOURS, codes.UNEVEN_HOURS}
    named = by_code[codes.PERSON_HOURS]
    assert named.key == "S1:U1"
    assert named.about_persons
    assert named.evidence[0].data["hours"] == 6 * 168
    assert named.evidence[0].data["target_hours"] == 4 * 168
    assert not by_code[codes.UNEVEN_HOURS].about_persons
    assert "U1" not in str(by_code[codes.UNEVEN_HOURS])


def test_office_hours_of_others_are_somebodys_nights() -> None:
    """Three people share office hours of London by the day; for Mei in Tokyo they end at two in the night."""
    days = range(NOW - 4 * WEEK, NOW + 12 * WEEK, DAY)
    people = ["U1", "MEI", "U3"]
    turns = [(at + 8 * HOUR, at + 18 * HOUR, people[at // DAY % 3]) for at in days]
    office = rota("S1", people, turn=DAY)
    office = replace(office, entries=schedule("S1", *turns).entries)
    users = [person("U1"), person("MEI", "Asia/Tokyo"), person("U3")]
    (finding,) = analyse(paged_account(office, [], users=users), NOW).findings
    assert (finding.code, finding.key) == (codes.PERSON_SLEEP, "S1:MEI")
    assert finding.evidence[0].data["time_zone"] == "Asia/Tokyo"


def test_a_member_without_an_hour_is_part_of_the_pool() -> None:
    """Two of three people share all turns: the third one's target is a third nevertheless."""
    users = [person(key) for key in ("U1", "U2", "U3")]
    snapshot = paged_account(rota("S1", ["U1", "U2"], members=["U1", "U2", "U3"]), [], users=users)
    (pool,) = workload_report(snapshot, NOW).forward.pools
    assert [round(share.target_seconds / WEEK, 6) for share in pool.shares] == [4, 4, 4]
    assert [share.is_above_target for share in pool.shares] == [True, True, False]


def test_a_target_is_in_proportion_to_the_time_of_membership() -> None:
    joined = rota("S1", ["U1", "U2"])
    late = replace(joined.layers[0], id="L2", start=NOW + 6 * WEEK, user_ids=("U3",))
    snapshot = paged_account(
        replace(joined, layers=(joined.layers[0], late)), [], users=[person(key) for key in SIX]
    )
    shares = {share.person.user_id: share for share in workload_report(snapshot, NOW).forward.pools[0].shares}
    assert shares["U3"].target_seconds == pytest.approx(shares["U1"].target_seconds / 2)


def test_a_deleted_user_has_no_target_and_a_guest_no_share() -> None:
    shared = rota("S1", ["U1", "U2", "U3"], members=["U1", "U2", "GONE"])
    snapshot = paged_account(shared, [], users=[person(key) for key in ("U1", "U2", "U3")])
    (pool,) = workload_report(snapshot, NOW).forward.pools
    assert {share.person.user_id for share in pool.shares} == {"U1", "U2"}
    assert [guest.user_id for guest, _ in pool.guests] == ["U3"]


def test_pages_by_chance_are_no_finding() -> None:
    assert found_codes(with_pages(9, 7, 5, 4, 3, 2)) == set()


def test_pages_beyond_chance_are_found_and_named_to_whom_may_see() -> None:
    result = analyse(with_pages(17, 4, 3, 3, 2, 1), NOW)
    found = {(finding.code, finding.key): finding for finding in result.findings}
    assert (codes.UNEVEN_PAGES, "S1:all") in found
    assert found[codes.PERSON_PAGES, "S1:U1:all"].about_persons
    assert {key for code, key in found if code == codes.PERSON_PAGES} <= {"S1:U1:all", "S1:U1:sleep"}


def test_few_pages_are_insufficient_data() -> None:
    (pages,) = workload_report(with_pages(5, 0, 0, 0, 0, 0), NOW).past.pages
    assert pages.all_hours.p_value is None
    assert "too few" in pages.all_hours.insufficient


def test_in_accounts_where_chance_alone_decides_hardly_a_finding_is_invented() -> None:
    randomness = np.random.default_rng(5)
    invented = 0
    for _ in range(40):
        pages = [
            (entry.user_id, entry.start + int(randomness.integers(DAY)))
            for entry in PAST_TURNS
            for _ in range(randomness.integers(4))
        ]
        invented += bool(found_codes(paged_account(DAILY, pages)))
    assert invented <= 2


def test_storms_that_hit_whoever_is_on_call_are_luck() -> None:
    randomness = np.random.default_rng(9)
    invented = 0
    for _ in range(40):
        pages = [(entry.user_id, entry.start + int(randomness.integers(DAY))) for entry in PAST_TURNS[::2]]
        for number in randomness.choice(len(PAST_TURNS), 4, replace=False):
            entry = PAST_TURNS[number]
            storm = entry.start + int(randomness.integers(DAY - 4 * HOUR))
            pages += [(entry.user_id, storm + int(randomness.integers(4 * HOUR))) for _ in range(8)]
        invented += bool(found_codes(paged_account(DAILY, pages)))
    assert invented <= 2


def test_more_incidents_than_a_shift_bears_are_found_beyond_chance_only() -> None:
    # 56 shifts of 12 hours: 112 incidents are two each, and 130 may be chance.
    assert codes.TOO_MANY_INCIDENTS not in found_codes(with_pages(22, 22, 22, 22, 21, 21))
    assert codes.TOO_MANY_INCIDENTS in found_codes(with_pages(30, 30, 30, 30, 30, 30))


def test_google_needs_eight_people_at_a_site_and_six_at_each_of_two() -> None:
    assert min_people(levels=2, weekly_hours=168) == 8
    assert min_people(levels=2, weekly_hours=168, sites=2) == 6


def test_the_result_is_the_same_again_and_in_any_order() -> None:
    snapshot = with_pages(17, 4, 3, 3, 2, 1)
    turned = replace(
        snapshot,
        users=snapshot.users[::-1],
        log_records=snapshot.log_records[::-1],
        schedules=tuple(replace(item, entries=(item.entries or ())[::-1]) for item in snapshot.schedules),
    )
    assert result_document(analyse(snapshot, NOW)) == result_document(analyse(turned, NOW))


def test_splitting_and_repeating_entries_changes_nothing() -> None:
    snapshot = paged_account(rota("S1", ["U1", "U2", "U1", "U3"]), [])
    assert result_document(analyse(_split(snapshot), NOW)) == result_document(analyse(snapshot, NOW))


def _split(snapshot: AccountSnapshot) -> AccountSnapshot:
    def halved(schedule: Schedule) -> Schedule:
        halves = [
            replace(entry, start=start, end=end)
            for entry in schedule.entries or ()
            for start, end in ((entry.start, entry.start + 7_000), (entry.start + 6_000, entry.end))
        ]
        return replace(schedule, entries=tuple(halves))

    return replace(snapshot, schedules=tuple(map(halved, snapshot.schedules)))


def test_a_debt_is_carried_over_and_paid_back() -> None:
    snapshot = paged_account(rota("S1", ["U1", "U1", "U2", "U2"]), [])
    ledger = carry(begin(NOW), pools_in(snapshot, Span(NOW, NOW + 3 * WEEK)), NOW + 3 * WEEK)
    owed = ledger.of_person("S1", "U1")
    assert owed == -ledger.of_person("S1", "U2") != 0
    loads = {key: ledger.of_person("S1", key) for key in ("U1", "U2")}
    assert least_loaded_first(loads)[0] == ("U2" if owed > 0 else "U1")
    paid = carry(ledger, pools_in(snapshot, Span(NOW + 3 * WEEK, NOW + 4 * WEEK)), NOW + 4 * WEEK)
    assert paid.of_person("S1", "U1") == 0


def test_the_ledger_of_two_snapshots_is_that_of_the_whole_time() -> None:
    snapshot = paged_account(rota("S1", ["U1", "U1", "U2"]), [])
    earlier = replace(snapshot, id="snap-0", taken_at=MONDAY - 2 * WEEK)
    both, whole = ledger_of((earlier, snapshot), NOW), ledger_of((snapshot,), NOW)
    assert both.balances == pytest.approx(whole.balances)
    assert (both.since, both.until) == (whole.since, whole.until)


def test_of_two_shares_with_the_same_indices_leximax_finds_the_fairer() -> None:
    assert fairer([5, 5, 2, 2, 1], [6, 3, 3, 2, 1])


TEAMS = (Team("T1", "Payments", manager_ids=("U6",)), Team("T2", "Small"))
TEAM_OF = {"U1": ("T1", "T2"), "U2": ("T1",), "U3": ("T1",)}


@pytest.mark.parametrize(
    ("persons", "seen"),
    [
        (ALL_PERSONS, set(SIX)),
        (NO_PERSONS, set()),
        (PersonVisibility(user_id="U1"), {"U1"}),
        (PersonVisibility(user_id="U6"), {"U1", "U2", "U3", "U6"}),
    ],
    ids=["everybody", "nobody", "oneself", "a manager"],
)
def test_persons_are_seen_by_themselves_and_their_managers(persons: PersonVisibility, seen: set[str]) -> None:
    users = [person(key, "Etc/UTC", *TEAM_OF.get(key, ())) for key in SIX]
    pages = [("U1", NOW - DAY + hour * HOUR) for hour in range(12)]
    snapshot = paged_account(DAILY, pages, users=users, teams=TEAMS)
    document = workload_document(workload_report(snapshot, NOW), may_see(snapshot, persons))
    assert {row["id"] for row in document["past"]["people"]} == seen
    assert {key for key in SIX if f"'{key}'" in str(document)} == seen
    teams = {row["name"]: row for row in document["past"]["teams"]}
    assert "hours" in teams["Payments"]
    assert set(teams["Small"]) == {"id", "name", "people", "hidden"}


def test_the_stored_metrics_name_nobody() -> None:
    assert "Name of U" not in str(analyse(with_pages(17, 4, 3, 3, 2, 1), NOW).metrics)


def test_an_empty_account_has_no_finding() -> None:
    result = analyse(account(), NOW)
    assert result.findings == ()
    assert result.metrics["past"]["schedules"] == []


def test_a_time_that_the_snapshot_does_not_reach_is_said_to_be_unknown() -> None:
    snapshot = paged_account(DAILY, [])
    later = NOW + 400 * DAY
    document = workload_document(workload_report(snapshot, later), may_see(snapshot, ALL_PERSONS))
    assert "nothing is known of the past" in " ".join(document["incomplete"])
    assert analyse(snapshot, later).findings == ()
