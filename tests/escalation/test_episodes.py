"""The assignments of past incidents, and the parts of their time to acknowledge."""

from dataclasses import replace

from calmo_pagerduty.escalation.decomposition import TimePart, TimeToAcknowledge, decompose
from calmo_pagerduty.escalation.episodes import EpisodeEnd, Response, response_of
from calmo_pagerduty.escalation.log_lint import past_incidents
from calmo_pagerduty.snapshots.model import AccountSnapshot, ContactKind, LogKind
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from tests.support.past_responses import PastLog
from tests.support.small_accounts import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    account,
    level,
    policy,
    schedule,
    service,
    user,
)

PHONE = ContactKind.PHONE
#: Monday a week before the snapshot, at noon.
NOON = MONDAY - 7 * DAY + 12 * HOUR


def snapshot_of(log: PastLog) -> AccountSnapshot:
    return account(
        services=(service(),),
        policies=(policy(level("R1", 10, "amy"), level("R2", 10, "bob"), num_loops=1),),
        users=(user("amy", (0, PHONE)), user("bob", (0, PHONE))),
        incidents=tuple(log.incidents),
        log_records=tuple(log.records),
    )


def answered(log: PastLog, snapshot: AccountSnapshot | None = None) -> Response:
    whole = snapshot or snapshot_of(log)
    response = response_of(OnCallIndex(whole), past_incidents(whole, MONDAY)[0], MONDAY)
    assert response is not None
    return response


def told(response: Response) -> list[tuple[int | None, float, EpisodeEnd]]:
    return [(episode.level, episode.minutes, episode.how) for episode in response.episodes]


def parts(log: PastLog, snapshot: AccountSnapshot | None = None) -> TimeToAcknowledge:
    whole = snapshot or snapshot_of(log)
    found = decompose(OnCallIndex(whole), answered(log, whole))
    assert found is not None
    assert sum(found.parts.values()) == found.total
    return found


def test_an_acknowledged_assignment_is_the_event_and_an_escalated_one_is_censored() -> None:
    log = PastLog()
    log.trigger(NOON, "amy")
    log.add(LogKind.ESCALATE, 10, "bob")
    log.add(LogKind.ACKNOWLEDGE, 13, by="bob")
    assert told(answered(log)) == [(1, 10, EpisodeEnd.ESCALATED), (2, 3, EpisodeEnd.ACKNOWLEDGED)]


def test_a_repeated_path_goes_back_to_level_1() -> None:
    log = PastLog()
    log.trigger(NOON, "amy")
    log.add(LogKind.ESCALATE, 10, "bob")
    log.add(LogKind.REPEAT_ESCALATION_PATH, 20)
    log.add(LogKind.ESCALATE, 20, "amy")
    log.add(LogKind.ACKNOWLEDGE, 21, by="amy")
    assert [level for level, _, _ in told(answered(log))] == [1, 2, 1]
    assert answered(log).episodes[-1].user_ids == ("amy",)


def test_a_reassignment_by_hand_leaves_the_path() -> None:
    log = PastLog()
    log.trigger(NOON, "amy")
    log.add(LogKind.ASSIGN, 4, "zoe")
    log.add(LogKind.ACKNOWLEDGE, 6, by="zoe")
    assert told(answered(log)) == [(1, 4, EpisodeEnd.REASSIGNED), (None, 2, EpisodeEnd.ACKNOWLEDGED)]


def test_a_resolution_without_acknowledgement_and_the_end_of_the_data_censor() -> None:
    resolved = PastLog()
    resolved.trigger(NOON, "amy", resolved_after=5)
    resolved.add(LogKind.RESOLVE, 5)
    assert told(answered(resolved)) == [(1, 5, EpisodeEnd.RESOLVED)]
    waiting = PastLog()
    waiting.trigger(MONDAY - 3 * MINUTE, "amy", resolved_after=None)
    assert told(answered(waiting)) == [(1, 3, EpisodeEnd.OPEN)]


def test_an_incident_that_began_on_level_2_since_level_1_was_empty_counts_there() -> None:
    log = PastLog()
    log.trigger(NOON, "bob")
    log.add(LogKind.ACKNOWLEDGE, 2, by="bob")
    empty_first = replace(
        snapshot_of(log),
        policies=(policy(level("R1", 10, "S1"), level("R2", 10, "bob")),),
        schedules=(schedule("S1"),),
    )
    assert told(answered(log, empty_first)) == [(2, 2, EpisodeEnd.ACKNOWLEDGED)]


def test_an_incident_without_an_assignment_in_its_log_has_no_response() -> None:
    log = PastLog()
    log.trigger(NOON, "amy")
    log.records = log.records[:1]
    whole = snapshot_of(log)
    assert response_of(OnCallIndex(whole), past_incidents(whole, MONDAY)[0], MONDAY) is None


def test_a_delegated_incident_waits_on_the_other_policy_s_first_level() -> None:
    log = PastLog()
    log.trigger(NOON, "amy")
    log.add(LogKind.DELEGATE, 4, "cat", policy_id="P2")
    log.add(LogKind.ACKNOWLEDGE, 5, by="cat")
    whole = snapshot_of(log)
    whole = replace(whole, policies=(*whole.policies, policy(level("R9", 5, "cat"), policy_id="P2")))
    episodes = answered(log, whole).episodes
    assert [(episode.policy_id, episode.level) for episode in episodes] == [("P1", 1), ("P2", 1)]


def test_the_parts_of_the_time_sum_exactly_to_the_whole() -> None:
    log = PastLog()
    log.trigger(NOON, "amy")
    log.add(LogKind.NOTIFY, 0, "amy", channel=PHONE)
    log.add(LogKind.ASSIGN, 4, "zoe")
    log.add(LogKind.ESCALATE, 9, "bob")
    log.add(LogKind.NOTIFY, 11, "bob", channel=PHONE)
    log.add(LogKind.NOTIFY, 12, "bob", channel=PHONE)
    log.add(LogKind.ACKNOWLEDGE, 16, by="bob")
    found = parts(log)
    assert found.total == 16 * MINUTE
    assert {part: seconds / MINUTE for part, seconds in found.parts.items() if seconds} == {
        TimePart.REASSIGNED: 4,
        TimePart.WAITED: 5,
        TimePart.NOTIFIED: 2,
        TimePart.SEEN: 5,
    }


def test_the_waiting_is_split_by_level() -> None:
    log = PastLog()
    log.trigger(NOON, "amy")
    log.add(LogKind.ESCALATE, 10, "bob")
    log.add(LogKind.ESCALATE, 17, "amy")
    log.add(LogKind.NOTIFY, 17, "amy")
    log.add(LogKind.ACKNOWLEDGE, 18, by="amy")
    assert parts(log).waited_by_level == {1: 10 * MINUTE, 2: 7 * MINUTE}


def test_time_in_the_person_s_own_night_counts_as_asleep() -> None:
    log = PastLog()
    # 21:50 in New York; the night begins at 22:00.
    log.trigger(MONDAY - 7 * DAY + 1 * HOUR + 50 * MINUTE, "amy")
    log.add(LogKind.NOTIFY, 0, "amy")
    log.add(LogKind.ACKNOWLEDGE, 40, by="amy")
    whole = snapshot_of(log)
    abroad = replace(
        whole, users=tuple(replace(person, time_zone="America/New_York") for person in whole.users)
    )
    found = parts(log, abroad)
    assert found.parts[TimePart.SEEN] == 10 * MINUTE
    assert found.parts[TimePart.ASLEEP] == 30 * MINUTE


def test_an_answer_of_somebody_who_was_not_notified_was_picked_up() -> None:
    log = PastLog()
    log.trigger(NOON, "amy")
    log.add(LogKind.NOTIFY, 0, "amy")
    log.add(LogKind.ACKNOWLEDGE, 3, by="zoe")
    assert parts(log).parts[TimePart.PICKED_UP] == 3 * MINUTE
