"""What waits to be forwarded: order within an incident, turns among incidents, one batch at a time."""

from collections import defaultdict

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from calmo_pagerduty.deliveries.store import PendingDelivery
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from ingress.forwarding.incident_queues import MAX_BATCH_BYTES, IncidentQueues


def waiting(seq: int, incident: str = "Q1", connection: str = "con_1", facts: str = "{}") -> PendingDelivery:
    ref = IncidentRef(connection_id=connection, incident_id=incident)
    return PendingDelivery(
        seq=seq, ref=ref, scope="organization:acme", severities={}, facts=facts, attempts=0
    )


def filled(*deliveries: PendingDelivery) -> IncidentQueues:
    queues = IncidentQueues()
    for delivery in deliveries:
        queues.add(delivery)
    return queues


def seqs(batch: list[PendingDelivery]) -> list[int]:
    return [delivery.seq for delivery in batch]


def test_what_waits_of_one_incident_goes_together_in_order() -> None:
    queues = filled(waiting(1), waiting(2, "Q2"), waiting(3), waiting(4))
    assert seqs(queues.take_batch(10)) == [1, 3, 4]
    assert seqs(queues.take_batch(10)) == [2]
    assert queues.take_batch(10) == []


def test_an_incident_has_one_batch_on_its_way() -> None:
    queues = filled(waiting(1))
    [first] = queues.take_batch(10)
    queues.add(waiting(2))
    assert queues.take_batch(10) == []
    queues.finish(first.ref)
    assert seqs(queues.take_batch(10)) == [2]


def test_a_large_incident_does_not_starve_the_others() -> None:
    queues = filled(*(waiting(seq) for seq in range(5)), waiting(9, "Q2"))
    first = queues.take_batch(2)
    queues.finish(first[0].ref)
    assert seqs(first) == [0, 1]
    assert seqs(queues.take_batch(2)) == [9]
    assert seqs(queues.take_batch(2)) == [2, 3]


def test_what_did_not_arrive_goes_first_again() -> None:
    queues = filled(waiting(1), waiting(2), waiting(3))
    batch = queues.take_batch(2)
    queues.add(waiting(4))
    queues.put_back(batch)
    assert seqs(queues.take_batch(10)) == [1, 2, 3, 4]


def test_an_incident_is_collected_until_it_has_waited_long_enough() -> None:
    queues = IncidentQueues()
    queues.add(waiting(1), now=10.0)
    queues.add(waiting(2), now=10.5)
    assert queues.next_waits_since() == 10.0
    assert queues.take_batch(10, waiting_since=9.9) == []
    assert seqs(queues.take_batch(10, waiting_since=10.0)) == [1, 2]
    assert queues.next_waits_since() is None


def test_what_did_not_arrive_has_waited_long_enough() -> None:
    queues = IncidentQueues()
    queues.add(waiting(1), now=10.0)
    queues.put_back(queues.take_batch(10))
    assert seqs(queues.take_batch(10, waiting_since=0.0)) == [1]


def test_an_incident_held_back_lets_the_others_pass_and_goes_on_later() -> None:
    queues = filled(waiting(1), waiting(2, "Q2"))
    queues.hold_back([waiting(1).ref])
    assert seqs(queues.take_batch(10)) == [2]
    queues.add(waiting(3))
    assert queues.take_batch(10) == []
    queues.hold_back([])
    assert seqs(queues.take_batch(10)) == [1, 3]


def test_a_batch_that_failed_of_an_incident_held_back_is_not_lost() -> None:
    queues = filled(waiting(1))
    batch = queues.take_batch(10)
    queues.hold_back([batch[0].ref])
    queues.put_back(batch)
    assert queues.take_batch(10) == []
    queues.hold_back([])
    assert seqs(queues.take_batch(10)) == [1]
    assert queues.take_batch(10) == []


def test_connections_take_turns_however_many_incidents_each_has() -> None:
    queues = filled(
        *(waiting(seq, f"Q{seq}") for seq in range(5)), waiting(10, "Q1", "con_2"), waiting(11, "Q1", "con_3")
    )
    assert [seqs(queues.take_batch(10)) for _ in range(5)] == [[0], [10], [11], [1], [2]]


def test_a_batch_is_bounded_in_bytes_and_one_delivery_always_goes() -> None:
    large = "x" * (MAX_BATCH_BYTES // 2 + 1)
    queues = filled(*(waiting(seq, facts=large) for seq in range(2)), waiting(2, facts=4 * large))
    for expected in ([0], [1], [2]):
        batch = queues.take_batch(10)
        assert seqs(batch) == expected
        queues.finish(batch[0].ref)


def test_a_batch_that_was_too_large_goes_in_parts_until_none_waits() -> None:
    queues = filled(*(waiting(seq) for seq in range(5)))
    batch = queues.take_batch(10)
    queues.limit(batch[0].ref, 2)
    queues.put_back(batch)
    for expected in ([0, 1], [2, 3], [4]):
        batch = queues.take_batch(10)
        assert seqs(batch) == expected
        queues.finish(batch[0].ref)


def test_an_incident_that_pauses_lets_others_pass_and_goes_on_in_order() -> None:
    queues = filled(waiting(1), waiting(2, "Q2"))
    queues.put_back(queues.take_batch(10), resume_at=50.0)
    queues.add(waiting(3))
    assert queues.next_resumes_at() == 50.0
    assert seqs(queues.take_batch(10, now=49.0)) == [2]
    assert queues.take_batch(10, now=49.0) == []
    assert seqs(queues.take_batch(10, now=50.0)) == [1, 3]
    assert queues.next_resumes_at() is None


def test_what_waits_of_an_incident_held_back_can_be_dropped_and_comes_again() -> None:
    queues = filled(waiting(1), waiting(2, "Q2"), waiting(3))
    queues.hold_back([waiting(1).ref])
    assert seqs(queues.drop_held_back()) == [1, 3]
    queues.hold_back([])
    queues.add(waiting(1))
    assert [seqs(queues.take_batch(10)) for _ in range(3)] == [[2], [1], []]


class Queues(RuleBasedStateMachine):
    """Whatever happens, each incident's deliveries arrive in order, once, one batch at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.queues = IncidentQueues()
        self.next_seq = 0
        self.on_the_way: dict[IncidentRef, list[PendingDelivery]] = {}
        self.added: dict[str, list[int]] = defaultdict(list)
        self.arrived: dict[str, list[int]] = defaultdict(list)

    @rule(incidents=st.sets(st.sampled_from(["Q1", "Q2", "Q3"])))
    def hold_back(self, incidents: set[str]) -> None:
        self.queues.hold_back([waiting(0, incident).ref for incident in incidents])

    @rule(incident=st.sampled_from(["Q1", "Q2", "Q3"]))
    def add(self, incident: str) -> None:
        self.next_seq += 1
        self.added[incident].append(self.next_seq)
        self.queues.add(waiting(self.next_seq, incident))

    @rule(at_most=st.integers(1, 3))
    def take(self, at_most: int) -> None:
        batch = self.queues.take_batch(at_most)
        if batch:
            assert len({delivery.ref for delivery in batch}) == 1
            assert len(batch) <= at_most
            assert batch[0].ref not in self.on_the_way
            self.on_the_way[batch[0].ref] = batch

    @rule(data=st.data(), arrives=st.booleans())
    def end(self, data: st.DataObject, arrives: bool) -> None:
        if not self.on_the_way:
            return
        ref = data.draw(st.sampled_from(sorted(self.on_the_way, key=lambda candidate: candidate.incident_id)))
        batch = self.on_the_way.pop(ref)
        if arrives:
            self.arrived[ref.incident_id] += seqs(batch)
            self.queues.finish(ref)
        else:
            self.queues.put_back(batch, *data.draw(st.sampled_from([(), (1.0,)])))

    @invariant()
    def each_incident_arrives_in_order(self) -> None:
        for incident, arrived in self.arrived.items():
            assert arrived == self.added[incident][: len(arrived)]

    def teardown(self) -> None:
        self.queues.hold_back([])
        for ref, batch in list(self.on_the_way.items()):
            self.arrived[ref.incident_id] += seqs(batch)
            self.queues.finish(ref)
        while batch := self.queues.take_batch(2):
            self.arrived[batch[0].ref.incident_id] += seqs(batch)
            self.queues.finish(batch[0].ref)
        assert dict(self.arrived) == {incident: added for incident, added in self.added.items() if added}


Queues.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_each_incident_arrives_in_order_whatever_happens = Queues.TestCase
