"""What the commands `erase` do in the database and in Temporal directly. It is slow to import."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from bootstrap.store import open_store
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.retention import erasure_targets_store as targets
from calmo_pagerduty.retention.erasure_service import carry_out_erasure, count_erasure
from calmo_pagerduty.retention.erasure_targets_store import Erasure, FoundIssue
from calmo_pagerduty.retention.pseudonyms import MIN_LENGTH
from calmo_pagerduty.temporal import client as temporal_client, erasing
from calmo_pagerduty.tool_calls.model import tool_call_workflow_id
from ingress.commands.instances import find_instance, settings_for
from workflows import names

Json = dict[str, Any]


class NothingToErase(ExplainedError):
    """Nothing has that name. The message says what was looked for."""


class TemporalNotErased(ExplainedError):
    """Temporal does not answer, or allows no deletion. Nothing was erased in the database."""


@dataclass(frozen=True, slots=True)
class Histories:
    """Queries for the executions and the schedules of what is erased."""

    executions: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()


def erase_issue(data_dir: Path | None, name: str, confirmed: bool) -> Json:
    """Erase the issues of an incident. Raises NothingToErase, TemporalNotErased, StoreUnavailable."""
    with open_store(settings_for(data_dir)) as store:
        database = store.database
        found = database.read_blocking(lambda tx: targets.find_issues(tx, name))
        if not found:
            raise NothingToErase(f"there is no issue {name!r}: name it by its id or its incident's id")
        rows = tuple(target for issue in found for target in targets.issue_targets(issue))
        texts = tuple(text for issue in found for text in issue.texts)
        histories = Histories(tuple(_queries_of_issues(found)))
        ids = tuple(issue.ref.connection_id for issue in found)
        return _erase(data_dir, database, Erasure("issue", rows, texts, ids), histories, confirmed)


def _queries_of_issues(found: Iterable[FoundIssue]) -> Iterator[str]:
    for issue in found:
        ref = issue.ref
        yield erasing.query_of(PdIncidentId=ref.incident_id, PdConnection=ref.connection_id)
        yield from erasing.queries_of((ref.workflow_id, names.context_id(ref)))


def erase_person(
    data_dir: Path | None, person: str, also: tuple[str, ...], scope: Scope | None, confirmed: bool
) -> Json:
    """Erase a person, everywhere or in what belongs to a scope. Raises NothingToErase, StoreUnavailable."""
    short = [text for text in (person, *also) if len(text) < MIN_LENGTH]
    if short:
        raise NothingToErase(f"{short[0]!r} is too short to be looked for: it would be found everywhere")
    with open_store(settings_for(data_dir)) as store:
        database = store.database
        rows, known = database.read_blocking(
            lambda tx: (targets.person_targets(tx, person), targets.list_names(tx, person))
        )
        ids = (
            None if scope is None else database.read_blocking(lambda tx: targets.list_connections(tx, scope))
        )
        erasure = Erasure("person", rows, (person, *known, *also), ids)
        return _erase(data_dir, database, erasure, Histories(), confirmed)


def erase_organization(data_dir: Path | None, scope: Scope, confirmed: bool) -> Json:
    """Erase a tenant. Raises NothingToErase, TemporalNotErased, StoreUnavailable."""
    with open_store(settings_for(data_dir)) as store:
        database = store.database
        ids, rows = database.read_blocking(
            lambda tx: (targets.list_connections(tx, scope), targets.organization_targets(tx, scope))
        )
        calls = database.read_blocking(lambda tx: targets.list_calls(tx, ids))
        histories = Histories(
            tuple(_queries_of_connections(ids, calls)),
            tuple(erasing.query_of(PdConnection=id_) for id_ in ids),
        )
        return _erase(data_dir, database, Erasure("organization", rows), histories, confirmed)


def _queries_of_connections(ids: Iterable[str], calls: Iterable[tuple[str, str]]) -> Iterator[str]:
    of_connection = (
        names.reconcile_workflow_id,
        names.doctor_workflow_id,
        names.digest_workflow_id,
        names.account_memory_workflow_id,
        names.oncall_workflow_id,
    )
    for id_ in ids:
        yield erasing.query_of(PdConnection=id_)
        yield from erasing.queries_of(of_id(id_) for of_id in of_connection)
    yield from erasing.queries_of(tool_call_workflow_id(*call) for call in calls)


def _erase(
    data_dir: Path | None, database: Database, erasure: Erasure, histories: Histories, confirmed: bool
) -> Json:
    # Histories go first: a workflow that runs would write the rows again.
    executions, schedules = asyncio.run(_erase_histories(data_dir, histories, confirmed))
    if confirmed:
        rows = carry_out_erasure(database, erasure, datetime.now(UTC))
    else:
        rows = count_erasure(database, erasure)
    return {
        "kind": erasure.kind,
        "carried_out": confirmed,
        "rows": dict(sorted(rows.items())),
        "workflows": executions,
        "schedules": schedules,
    }


async def _erase_histories(data_dir: Path | None, histories: Histories, confirmed: bool) -> tuple[int, int]:
    if not histories.executions:
        return 0, 0
    options = temporal_client.connection_options()
    instance = find_instance(data_dir)
    if instance is not None:
        options["target_host"] = instance.temporal_address
    try:
        client = await Client.connect(**options, runtime=temporal_client.runtime())
        schedules = 0
        if confirmed:
            for query in histories.schedules:
                schedules += await erasing.delete_schedules(client, query)
        found = await erasing.list_executions(client, histories.executions)
        if confirmed:
            await erasing.delete_executions(client, found)
    except (RuntimeError, RPCError) as error:
        reason = str(error).splitlines()[0]
        raise TemporalNotErased(f"Temporal did not let us delete histories: {reason}") from error
    return len(found), schedules
