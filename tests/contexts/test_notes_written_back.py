"""A connection may have each context written back as a note: a call of the tool, through the one gate."""

import operator
from functools import partial

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.contexts.rendering.note import NOTE_MARKER
from calmo_pagerduty.tool_calls.model import CallState
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules
from tests.support.connected import WRITES_ON
from tests.support.eventually import eventually
from tests.support.system import Json, System


def switch_on(system: System) -> None:
    system.database.write_blocking(
        lambda t: connections.update_connection(t, system.connection_id, context_note=True)
    )


def notes(system: System, incident_id: str) -> list[str]:
    return [note.content for note in system.account.incident(incident_id).notes]


async def calls(system: System) -> list[Json]:
    found: list[Json] = (await system.get("/api/tool-calls"))["calls"]
    return found


async def test_nothing_is_written_unless_the_connection_wants_it(system: System) -> None:
    ref = system.trigger()
    await system.gather_context(ref)
    assert notes(system, ref.incident_id) == []
    assert await calls(system) == []


async def outcomes(system: System) -> list[str]:
    """What the audit tells of the notes, in order."""
    audited = await system.audited()
    return [row["outcome"] for row in audited if row["tool"] == "add_incident_note"]


async def test_each_version_is_written_once(system: System) -> None:
    switch_on(system)
    ref = system.trigger()
    for version in (1, 2):
        await system.gather_context(ref)
        # A note is there before its call has ended: that comes last.
        told = ["begins", "done"] * version
        await eventually(lambda: outcomes(system), partial(operator.eq, told))
    first, second = notes(system, ref.incident_id)
    assert first.startswith(f"{NOTE_MARKER}, version 1\nImpact: ")
    assert second.startswith(f"{NOTE_MARKER}, version 2\n")
    assert "Like this one: #" in first


async def test_it_waits_for_a_person_where_notes_do(system: System) -> None:
    switch_on(system)
    system.permit(WRITES_ON.model_copy(update={"approve": frozenset(Risk)}))
    ref = system.trigger()
    await system.gather_context(ref)

    async def states() -> list[str]:
        return [call["state"] for call in await calls(system)]

    await eventually(states, lambda found: found == [CallState.WAITING])
    assert notes(system, ref.incident_id) == []


async def test_a_connection_that_lets_nobody_write_lets_us_neither(system: System) -> None:
    switch_on(system)
    system.permit(ConnectionRules())
    ref = system.trigger()
    await system.gather_context(ref)
    assert notes(system, ref.incident_id) == []
    audited = await system.audited()
    assert [(row["tool"], row["outcome"]) for row in audited] == [("add_incident_note", "refused")]


async def test_who_revokes_its_key_ends_the_notes(system: System) -> None:
    switch_on(system)
    ref = system.trigger()
    await system.gather_context(ref)

    async def written() -> int:
        return len(notes(system, ref.incident_id))

    await eventually(written, lambda count: count == 1)
    (call,) = await calls(system)
    assert call["requester"] == "Calmo's notes with incidents' contexts"
    audited = await system.audited()
    key_id = audited[0]["key_id"]
    from datetime import UTC, datetime

    system.database.write_blocking(lambda t: api_keys.mark_revoked(t, key_id, datetime.now(UTC)))
    await system.gather_context(ref)
    assert len(await calls(system)) == 1
