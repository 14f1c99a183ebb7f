"""Contexts over REST: read, followed while they are gathered, asked for."""

import asyncio
import json
from functools import partial
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.contexts.rendering.markdown import context_markdown
from calmo_pagerduty.contexts.runs import ContextStart, ContextState
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.contexts.store import ContextPart
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from ingress.contexts import progress_stream as streaming
from tests.context_rendering.conftest import Told, an_issue
from tests.support.builders import new_id
from tests.support.connected import add_connection
from tests.support.documented import check, check_example
from tests.support.patience import ANSWER
from tests.support.pictures import parsed_picture
from tests.support.sample_context import BEGAN, a_context
from workflows import names

Event = tuple[str, dict[str, Any]]


async def ask(told: Told, tail: str = "", **headers: str) -> Any:
    return await told.service.http.get(f"{told.path}{tail}", headers={**told.service.headers, **headers})


async def follow(told: Told, query: str = "") -> list[Event]:
    """Read a progress stream to its end."""
    events: list[Event] = []
    name = ""
    url, headers = f"{told.path}/progress{query}", told.service.headers
    async with told.service.http.stream("GET", url, headers=headers, timeout=ANSWER) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                events.append((name, json.loads(value)))
    return events


@pytest.mark.each_database
async def test_a_context_is_read_as_it_was_stored(told: Told) -> None:
    version = told.store()
    answer = await ask(told)
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    context = IncidentContext.model_validate(answer.json())
    assert (context.issue_id, context.version) == (told.ref.issue_id, version)
    assert context.assessment == a_context().assessment
    assert answer.json()["schema"] == "calmo.incident_context/1"


@pytest.mark.each_database
async def test_each_version_can_be_read_and_the_newest_is_meant_without_a_number(
    told: Told,
) -> None:
    for _ in range(3):
        told.store()
    assert (await ask(told)).json()["version"] == 3
    assert (await ask(told, "?version=2")).json()["version"] == 2
    found = (await ask(told, "/versions")).json()
    assert [version["version"] for version in found["versions"]] == [3, 2, 1]
    assert (await told.service.http.get(found["versions"][1]["url"], headers=told.service.headers)).json()[
        "version"
    ] == 2
    missing = await ask(told, "?version=9")
    assert missing.status_code == 404 and "version 9" in missing.text
    assert (await ask(told, "?version=0")).status_code == 400


@pytest.mark.parametrize("tail", ["", ".md", "/graph.svg"])
async def test_what_the_caller_has_already_is_not_sent_again(told: Told, tail: str) -> None:
    told.store()
    first = await ask(told, tail)
    tag = first.headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        again = await ask(told, tail, **{"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    told.store(reasons=("reopened",))
    changed = await ask(told, tail, **{"If-None-Match": tag})
    # The picture of a version that differs in nothing else carries the version in its names.
    assert changed.status_code == 200 and changed.headers["etag"] != tag


async def test_the_page_and_the_picture_are_of_the_same_document(told: Told) -> None:
    told.store()
    context = IncidentContext.model_validate((await ask(told)).json())
    page = await ask(told, ".md")
    assert page.headers["content-type"] == "text/markdown; charset=utf-8"
    assert page.text == context_markdown(context)
    picture = await ask(told, "/graph.svg")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in picture.headers["content-security-policy"]
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert parsed_picture(picture.text).get("role") == "img"


async def test_without_a_context_it_is_said_how_to_get_one(told: Told) -> None:
    for tail in ("", ".md", "/graph.svg", "/versions", "/progress"):
        answer = await ask(told, tail)
        assert answer.status_code == 404 and f"POST {told.path}" in answer.json()["error"]["message"]
    told.service.database.write_blocking(
        lambda t: contexts.insert_version(t, told.ref, ("first event",), BEGAN)
    )
    assert (await ask(told)).status_code == 404
    assert (await ask(told, "/versions")).json()["versions"][0]["state"] == "gathering"


async def test_each_source_is_told_of_once_as_it_lands_and_then_the_end(told: Told) -> None:
    database, ref = told.service.database, told.ref
    version = database.write_blocking(lambda t: contexts.insert_version(t, ref, ("first event",), BEGAN))
    following = asyncio.create_task(follow(told))
    for source in Source:
        part = ContextPart(source, SourceState.COMPLETE, count=2, requests=1, seconds=0.5)
        if source is Source.ALERTS:
            part = ContextPart(source, SourceState.UNAVAILABLE, "PagerDuty did not answer", requests=3)
        database.write_blocking(partial(contexts.upsert_part, ref=ref, version=version, part=part))
        await asyncio.sleep(0)
    database.write_blocking(
        lambda t: contexts.mark_version_finished(
            t, ref, version, ContextState.COMPLETE, BEGAN, is_degraded=True, document={}
        )
    )
    *landed, (name, end) = await following
    assert {name for name, _ in landed} == {"source"}
    assert [data["source"] for _, data in landed] == list(Source)
    assert [(data["done"], data["of"]) for _, data in landed] == [(n + 1, 16) for n in range(16)]
    (alerts,) = [data for _, data in landed if data["source"] == "alerts"]
    assert (alerts["state"], alerts["reason"]) == ("unavailable", "PagerDuty did not answer")
    assert name == "complete" and end["state"] == "complete" and end["is_degraded"]
    assert end["url"] == f"{told.path}?version={version}"


async def test_a_version_that_was_just_asked_for_is_waited_for(told: Told) -> None:
    following = asyncio.create_task(follow(told, "?version=1"))
    await asyncio.sleep(0)
    told.store()
    *landed, (name, end) = await following
    assert len(landed) == 16 and (name, end["version"]) == ("complete", 1)


async def test_of_a_version_that_is_over_only_the_end_is_told(told: Told) -> None:
    told.store()
    told.store()
    assert [name for name, _ in await follow(told, "?version=1")] == ["complete"]


async def test_the_progress_of_a_gathering_that_was_terminated_ends(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "STALL_TIMEOUT_SECONDS", 0.3)
    told.service.database.write_blocking(
        lambda t: contexts.insert_version(t, told.ref, ("first event",), BEGAN)
    )
    (name, end), *more = await follow(told)
    assert (name, end["state"], more) == ("stalled", "stalled", [])


async def test_a_revoked_key_ends_its_stream(told: Told) -> None:
    told.service.database.write_blocking(
        lambda t: contexts.insert_version(t, told.ref, ("first event",), BEGAN)
    )
    headers = told.service.a_key()
    key_id = headers["Authorization"].split("_")[1]
    request = told.service.http.get(f"{told.path}/progress", headers=headers, timeout=ANSWER)
    following = asyncio.create_task(request)
    await told.service.http.delete(f"/api/api-keys/{key_id}", headers=told.service.headers)
    assert "complete" not in (await following).text


async def test_a_context_is_asked_for_by_issue_or_by_incident(told: Told, temporal: Client) -> None:
    told.store()
    service, ref = told.service, told.ref
    for path, body in (
        (told.path, {"reason": "after the rollback"}),
        (f"/api/incidents/{ref.incident_id}/context", {}),
        (f"/api/incidents/{ref.incident_id}/context", {"connection": ref.connection_id}),
    ):
        answer = await service.http.post(path, json=body, headers=service.headers)
        assert answer.status_code == 202, answer.text
        begun = answer.json()
        assert (begun["issue_id"], begun["version"]) == (ref.issue_id, 2)
        assert begun["workflow_id"] == f"pd-context:{ref.incident_id}:{ref.connection_id}"
        assert begun["links"]["progress"].startswith(f"{told.path}/progress?version=2")
    handle = temporal.get_workflow_handle(begun["workflow_id"])
    events = [event async for event in handle.fetch_history_events()]
    started = events[0].workflow_execution_started_event_attributes
    assert started.workflow_type.name == "IncidentContextWorkflow"
    (start,) = await temporal.data_converter.decode(started.input.payloads, [ContextStart])
    assert start.ref == ref
    signals = [
        (await temporal.data_converter.decode(signal.input.payloads, [str]))[0]
        for event in events
        if (signal := event.workflow_execution_signaled_event_attributes).signal_name
    ]
    assert signals == ["after the rollback", "on demand", "on demand"], "one gathering, however often"
    await handle.terminate()


async def test_an_incident_that_is_no_issue_yet_needs_a_connection(told: Told, temporal: Client) -> None:
    service, incident = told.service, told.service.an_incident()
    path = f"/api/incidents/{incident}/context"
    refused = await service.http.post(path, json={}, headers=service.headers)
    assert refused.status_code == 404 and "name the connection" in refused.text
    begun = (
        await service.http.post(path, json={"connection": service.connection_id}, headers=service.headers)
    ).json()
    ref = IncidentRef(connection_id=service.connection_id, incident_id=incident)
    assert begun["issue_id"] == ref.issue_id and begun["version"] == 1
    await temporal.get_workflow_handle(begun["workflow_id"]).terminate()


async def test_an_invented_incident_costs_no_workflow_and_no_version(told: Told, temporal: Client) -> None:
    service, incident = told.service, new_id()
    body = {"connection": told.ref.connection_id}
    refused = await service.http.post(
        f"/api/incidents/{incident}/context", json=body, headers=service.headers
    )
    assert refused.status_code == 404
    assert "PagerDuty knows no incident" in refused.text
    ref = IncidentRef(connection_id=told.ref.connection_id, incident_id=incident)
    with pytest.raises(RPCError):
        await temporal.get_workflow_handle(names.context_id(ref)).describe()
    denied = ConnectionRules(switches={"tool:get_incident": Switch.DENY})
    service.permit(denied)
    refused = await service.http.post(
        f"/api/incidents/{new_id()}/context", json=body, headers=service.headers
    )
    assert refused.status_code == 403


async def test_an_incident_of_several_connections_is_asked_which(told: Told) -> None:
    service, ref = told.service, told.ref
    other = add_connection(service.database, told.keyring, "organization:acme")
    await an_issue(service, told.keyring, other, ref.incident_id)
    path = f"/api/incidents/{ref.incident_id}/context"
    answer = await service.http.post(path, json={}, headers=service.headers)
    assert answer.status_code == 409
    assert other in answer.text and ref.connection_id in answer.text


@pytest.mark.parametrize("reason", ["", "x" * 61, "call +49 170 1", "ask kim@acme.example", "a\nb"])
async def test_a_reason_is_a_few_plain_words(told: Told, reason: str) -> None:
    answer = await told.service.http.post(told.path, json={"reason": reason}, headers=told.service.headers)
    assert answer.status_code == 400


async def test_without_temporal_it_cannot_be_gathered_and_says_so(told: Told) -> None:
    told.store()
    told.service.ingress.services.temporal.hold(None)
    answer = await told.service.http.post(told.path, json={}, headers=told.service.headers)
    assert answer.status_code == 503 and "nothing was started" in answer.text
    assert (await ask(told)).status_code == 200


async def test_reading_and_gathering_need_their_permissions(told: Told) -> None:
    told.store()
    http, reader = told.service.http, told.service.a_key("issues:read")
    assert (await http.get(told.path, headers=reader)).status_code == 200
    assert (await http.post(told.path, json={}, headers=reader)).status_code == 403
    assert (await http.get(told.path, headers=told.service.a_key("tools:read"))).status_code == 403


@pytest.mark.each_database
async def test_somebody_elses_context_does_not_exist(told: Told) -> None:
    told.store()
    foreign = told.service.a_key(scopes=("organization:other",))
    whose = f"connection={told.ref.connection_id}&incident={told.ref.incident_id}"
    pending = IncidentRef(connection_id=told.ref.connection_id, incident_id="QPENDING")
    pending_path = f"/api/issues/{pending.issue_id}/context/progress?version=1"
    for query in (f"connection={pending.connection_id}&incident=QPENDING", whose, "connection=x&incident=y"):
        answer = await told.service.http.get(f"{pending_path}&{query}", headers=foreign)
        assert answer.status_code == 404
    nobody = f"/api/issues/iss_{'a' * 24}/context"
    for tail in ("", ".md", "/graph.svg", "/versions", "/progress", "/progress?version=1", "?version=1"):
        theirs, missing = [
            await told.service.http.get(f"{path}{tail}", headers=foreign) for path in (told.path, nobody)
        ]
        assert theirs.status_code == missing.status_code == 404
        assert theirs.text.replace(told.ref.issue_id, "iss_" + "a" * 24) == missing.text


async def test_the_answers_are_as_the_openapi_document_says(told: Told) -> None:
    told.store()
    http, headers = told.service.http, told.service.headers
    document = (await http.get("/openapi.json")).json()
    base = "/api/issues/{id}/context"
    for tail in ("", "/versions", ".md", "/graph.svg", "/progress"):
        check(document, await http.get(f"{told.path}{tail}", headers=headers), "get", f"{base}{tail}")
    check(document, await http.get(f"{told.path}?version=7", headers=headers), "get", base)
    check(document, await http.get(f"{told.path}?version=x", headers=headers), "get", base)
    for path in (base, "/api/incidents/{incident_id}/context"):
        check_example(document, "post", path, 202)
    check_example(document, "get", f"{base}/versions")
    IncidentContext.model_validate(check_example(document, "get", base))


@pytest.mark.each_database
async def test_an_issue_says_that_it_has_a_context(told: Told) -> None:
    path = f"/api/issues/{told.ref.issue_id}"
    assert (await told.service.get(path))["context"] is None
    told.service.database.write_blocking(
        lambda t: contexts.insert_version(t, told.ref, ("first event",), BEGAN)
    )
    assert (await told.service.get(path))["context"] is None
    told.store()
    found = (await told.service.get(path))["context"]
    assert found == {"version": 1, "impact": 72.0, "is_degraded": True, "url": told.path}
    assert (await told.service.get(found["url"]))["version"] == 1
