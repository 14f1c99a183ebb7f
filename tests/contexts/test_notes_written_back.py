"""A connection may have each context written back as a note: a call of the tool, through the one gate."""

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.contexts.rendering.note import NOTE_MARKER
from calmo_pagerduty.tool_calls.model import CallState
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules
from tests.support.context_service import Contexts
from tests.support.eventually import eventually
from tests.support.tool_service import WRITES_ON, Json


def switch_on(contexts: Contexts) -> None:
    contexts.database.write_blocking(
        lambda t: connections.update_connection(t, contexts.service.connection_id, context_note=True)
    )


def notes(contexts: Contexts, incident_id: str) -> list[str]:
    return [note.content for note in contexts.account.incident(incident_id).notes]


async def calls(contexts: Contexts) -> list[Json]:
    found: list[Json] = (await contexts.service.get("/api/tool-calls"))["calls"]
    return found


async def test_nothing_is_written_unless_the_connection_wants_it(contexts: Contexts) -> None:
    ref = contexts.trigger()
    await contexts.gathered(ref)
    assert notes(contexts, ref.incident_id) == []
    assert await calls(contexts) == []


async def outcomes(contexts: Contexts) -> list[str]:
    """What the audit tells of the notes, in order."""
    audited = await contexts.service.audited()
    return [row["outcome"] for row in audited if row["tool"] == "add_incident_note"]


async def test_each_version_is_written_once(contexts: Contexts) -> None:
    switch_on(contexts)
    ref = contexts.trigger()
    for version in (1, 2):
        await contexts.gathered(ref)
        # A note is there before its call has ended: that comes last.
        told = ["begins", "done"] * version
        await eventually(lambda: outcomes(contexts), lambda found, told=told: found == told)  # type: ignore[misc]
    first, second = notes(contexts, ref.incident_id)
    assert first.startswith(f"{NOTE_MARKER}, version 1\nImpact: ")
    assert second.startswith(f"{NOTE_MARKER}, version 2\n")
    assert "Like this one: #" in first


async def test_it_waits_for_a_person_where_notes_do(contexts: Contexts) -> None:
    switch_on(contexts)
    contexts.service.permit(WRITES_ON.model_copy(update={"approve": frozenset(Risk)}))
    ref = contexts.trigger()
    await contexts.gathered(ref)

    async def states() -> list[str]:
        return [call["state"] for call in await calls(contexts)]

    await eventually(states, lambda found: found == [CallState.WAITING])
    assert notes(contexts, ref.incident_id) == []


async def test_a_connection_that_lets_nobody_write_lets_us_neither(contexts: Contexts) -> None:
    switch_on(contexts)
    contexts.service.permit(ConnectionRules())
    ref = contexts.trigger()
    await contexts.gathered(ref)
    assert notes(contexts, ref.incident_id) == []
    audited = await contexts.service.audited()
    assert [(row["tool"], row["outcome"]) for row in audited] == [("add_incident_note", "refused")]


async def test_who_revokes_its_key_ends_the_notes(contexts: Contexts) -> None:
    switch_on(contexts)
    ref = contexts.trigger()
    await contexts.gathered(ref)

    async def written() -> int:
        return len(notes(contexts, ref.incident_id))

    await eventually(written, lambda count: count == 1)
    (call,) = await calls(contexts)
    assert call["requester"] == "Calmo's notes with incidents' contexts"
    audited = await contexts.service.audited()
    key_id = audited[0]["key_id"]
    from datetime import UTC, datetime

    contexts.database.write_blocking(lambda t: api_keys.mark_revoked(t, key_id, datetime.now(UTC)))
    await contexts.gathered(ref)
    assert len(await calls(contexts)) == 1
