"""Convert a snapshot to compressed JSON by section and month, and back.

A part is known by the digest of its JSON: equal content has an equal digest, so snapshots share it. Old
parts stay readable as long as the models only gain fields that have defaults.
"""

import gc
import hashlib
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from calmo_pagerduty.absences.model import Absence
from calmo_pagerduty.snapshots.dependency_model import (
    BusinessService,
    ServiceDependencies,
)
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Incident,
    LogRecord,
    MaintenanceWindow,
    Policy,
    Schedule,
    Section,
    SectionName,
    Service,
    StandardScore,
    Team,
    User,
)

#: The chunk of a section that is stored as a whole.
WHOLE = "all"
COMPRESSION_LEVEL = 6


@dataclass(frozen=True, slots=True)
class SectionForm:
    """How a section is stored: its field of the snapshot, its items' type, and the chunk of an item."""

    field: str
    adapter: TypeAdapter[tuple[Any, ...]]
    order: Callable[[Any], Any]
    chunk: Callable[[Any], str] = lambda _item: WHOLE


def month_of(at: int) -> str:
    """Return the month (UTC) of epoch seconds, as `2026-03`: the name of a chunk."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m}"


def _by_id(item: Any) -> Any:
    return item.id


FORMS: Mapping[SectionName, SectionForm] = {
    SectionName.SCHEDULES: SectionForm("schedules", TypeAdapter(tuple[Schedule, ...]), _by_id),
    SectionName.POLICIES: SectionForm("policies", TypeAdapter(tuple[Policy, ...]), _by_id),
    SectionName.SERVICES: SectionForm("services", TypeAdapter(tuple[Service, ...]), _by_id),
    SectionName.USERS: SectionForm("users", TypeAdapter(tuple[User, ...]), _by_id),
    SectionName.TEAMS: SectionForm("teams", TypeAdapter(tuple[Team, ...]), _by_id),
    SectionName.MAINTENANCE: SectionForm("maintenance", TypeAdapter(tuple[MaintenanceWindow, ...]), _by_id),
    SectionName.INCIDENTS: SectionForm(
        "incidents", TypeAdapter(tuple[Incident, ...]), _by_id, lambda incident: month_of(incident.created_at)
    ),
    SectionName.LOG_ENTRIES: SectionForm(
        "log_records",
        TypeAdapter(tuple[LogRecord, ...]),
        lambda record: (record.at, record.id),
        lambda record: month_of(record.at),
    ),
    SectionName.STANDARDS: SectionForm(
        "standards",
        TypeAdapter(tuple[StandardScore, ...]),
        lambda score: (score.standard_id, score.resource_id),
    ),
    SectionName.BUSINESS_SERVICES: SectionForm(
        "business_services", TypeAdapter(tuple[BusinessService, ...]), _by_id
    ),
    SectionName.DEPENDENCIES: SectionForm(
        "dependencies", TypeAdapter(tuple[ServiceDependencies, ...]), lambda item: item.service
    ),
}

_SECTIONS: TypeAdapter[tuple[Section, ...]] = TypeAdapter(tuple[Section, ...])


@dataclass(frozen=True, slots=True)
class EncodedPart:
    """A section's chunk: compressed JSON, and the digest (SHA-256) of the JSON."""

    section: SectionName
    chunk: str
    digest: str
    data: bytes


@dataclass(frozen=True, slots=True)
class StoredPart:
    """Which content stands in a section's chunk."""

    section: SectionName
    chunk: str
    digest: str


@dataclass(frozen=True, slots=True)
class SnapshotHead:
    """A snapshot without its sections' items. Times are epoch seconds (UTC)."""

    id: str
    connection_id: str
    taken_at: int
    rendered_since: int
    rendered_until: int
    time_zone: str | None
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class EncodedSnapshot:
    """A snapshot as it is stored: compressed, with its contents by digest. Equal ones have equal digests."""

    head: SnapshotHead
    parts: tuple[StoredPart, ...]
    blobs: tuple[tuple[str, bytes], ...] = field(hash=False, compare=False, repr=False)
    absences: tuple[Absence, ...] | None = None


def encode_section(section: SectionName, items: Iterable[Any]) -> tuple[EncodedPart, ...]:
    """Return the parts of a section, chunk by chunk; a section without items has none."""
    form = FORMS[section]
    chunks: dict[str, list[Any]] = defaultdict(list)
    for item in sorted(items, key=form.order):
        chunks[form.chunk(item)].append(item)
    return tuple(encode_chunk(section, chunk, chunks[chunk]) for chunk in sorted(chunks))


def encode_chunk(section: SectionName, chunk: str, items: Sequence[Any]) -> EncodedPart:
    text = FORMS[section].adapter.dump_json(tuple(items))
    return EncodedPart(
        section, chunk, hashlib.sha256(text).hexdigest(), zlib.compress(text, COMPRESSION_LEVEL)
    )


def decode_chunk(section: SectionName, data: bytes) -> tuple[Any, ...]:
    """Return a chunk's items. Raises ValueError for data that this version can't read."""
    try:
        return FORMS[section].adapter.validate_json(zlib.decompress(data))
    except zlib.error as error:
        raise ValueError(f"a part of {section} is damaged") from error


def encode_snapshot(snapshot: AccountSnapshot) -> tuple[EncodedPart, ...]:
    """Return all parts of a snapshot, in order."""
    return tuple(
        part
        for section in SectionName
        for part in encode_section(section, getattr(snapshot, FORMS[section].field))
    )


def decode_snapshot(
    head: SnapshotHead, parts: Sequence[StoredPart], blobs: Mapping[str, bytes]
) -> AccountSnapshot:
    """Return the snapshot; `blobs` holds the data by digest. Raises ValueError, KeyError."""
    with _paused_collector():
        return _decode(head, parts, blobs)


def _decode(head: SnapshotHead, parts: Sequence[StoredPart], blobs: Mapping[str, bytes]) -> AccountSnapshot:
    items: dict[SectionName, list[Any]] = {section: [] for section in SectionName}
    for part in sorted(parts, key=lambda part: (part.section, part.chunk)):
        items[part.section] += decode_chunk(part.section, blobs[part.digest])
    fields = {form.field: tuple(sorted(items[section], key=form.order)) for section, form in FORMS.items()}
    return AccountSnapshot(
        id=head.id,
        connection_id=head.connection_id,
        taken_at=head.taken_at,
        rendered_since=head.rendered_since,
        rendered_until=head.rendered_until,
        time_zone=head.time_zone,
        sections=head.sections,
        **fields,
    )


@contextmanager
def _paused_collector() -> Iterator[None]:
    """Make no search for cycles: hundred thousands of new objects would set off many, and have none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def sections_to_json(sections: Sequence[Section]) -> Any:
    return _SECTIONS.dump_python(tuple(sections), mode="json")


def sections_from_json(data: Any) -> tuple[Section, ...]:
    """Return the sections. Raises ValueError."""
    return _SECTIONS.validate_python(data)
