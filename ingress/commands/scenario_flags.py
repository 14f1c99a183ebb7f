"""Build a what-if scenario from flags, or from a JSON or TOML file. Pure, apart from reading the file."""

import json
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from calmo_pagerduty.kernel.explained_error import ExplainedError

Json = dict[str, Any]
MAX_FILE_BYTES = 200_000
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class InvalidScenario(ExplainedError):
    """A flag or the file can't be read. The message names it."""


def leaver(text: str) -> Json:
    """`Ann@2026-12-01` or `Ann@2026-12-01T09:00Z`."""
    user, at = _parts("--leaver", text, 2)
    return {"type": "leaver", "user": user, "at": _time(at)}


def joiner(text: str) -> Json:
    """`Ann@2026-12-01@Primary`, or `…@Primary@Layer 1` if the schedule has several parts."""
    user, at, schedule, *part = _parts("--joiner", text, 3, 4)
    return {"type": "joiner", "user": user, "at": _time(at), "schedule": schedule} | (
        {"part": part[0]} if part else {}
    )


def time_off(text: str) -> Json:
    """`Ann@2026-12-01/2026-12-08`, or `…@Ben` with the person who covers."""
    user, period, *cover = _parts("--time-off", text, 2, 3)
    start, separator, end = period.partition("/")
    if not separator:
        raise InvalidScenario(f"--time-off: write START/END, not {period[:40]!r}")
    change = {"type": "time_off", "user": user, "start": _time(start), "end": _time(end)}
    return change | ({"cover": cover[0]} if cover else {})


def delay(text: str) -> Json:
    """`Checkout policy@1@5`: level 1 waits 5 minutes."""
    policy, level, minutes = _parts("--delay", text, 3)
    if not (level.isdigit() and minutes.isdigit()):
        raise InvalidScenario("--delay: level and minutes are whole numbers")
    return {"type": "policy", "policy": policy, "level": int(level), "delay_minutes": int(minutes)}


def holiday(text: str) -> Json:
    """`2026-12-25`, or `2026-12-25@Office hours` with the schedule that nobody staffs then."""
    day, *closed = _parts("--holiday", text, 1, 2)
    return {"type": "holiday", "day": day, "closed": closed}


def read_document(path: Path) -> Json:
    """Read a scenario from a file; `-` is standard input. A name that ends in .toml is TOML."""
    try:
        text = sys.stdin.read(MAX_FILE_BYTES + 1) if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidScenario(f"{str(path)[:200]} can't be read: {type(error).__name__}") from None
    if len(text) > MAX_FILE_BYTES:
        raise InvalidScenario(f"a scenario has at most {MAX_FILE_BYTES} bytes")
    try:
        document = _parse(text, is_toml=path.suffix == ".toml")
    except (ValueError, TypeError) as error:
        raise InvalidScenario(f"the scenario can't be read: {str(error)[:200]}") from None
    if not isinstance(document, dict):
        raise InvalidScenario('a scenario is an object: {"name": …, "changes": […]}')
    return document


def _parse(text: str, *, is_toml: bool) -> Any:
    if not is_toml:
        return json.loads(text)
    import tomllib  # noqa: PLC0415 (only a TOML file needs it)

    # TOML has dates and times of its own.
    return json.loads(json.dumps(tomllib.loads(text), default=_plain_date))


def _plain_date(value: Any) -> str:
    text = str(value.isoformat())
    return f"{text}Z" if isinstance(value, datetime) and value.tzinfo is None else text


def scenario(name: str | None, changes: Sequence[Json], days: int | None, document: Json | None) -> Json:
    """Return the scenario of a file, with further changes from flags. Raises InvalidScenario."""
    whole: Json = dict(document or {})
    whole["changes"] = [*whole.get("changes", []), *changes]
    if not whole["changes"]:
        raise InvalidScenario("give a change, such as --leaver NAME@DATE, or --file")
    if name is not None or "name" not in whole:
        whole["name"] = name or "what if"
    if days is not None:
        whole["days"] = days
    return whole


def _parts(flag: str, text: str, least: int, most: int | None = None) -> list[str]:
    parts = [part.strip() for part in text.split("@")]
    if not least <= len(parts) <= (most or least) or not all(parts):
        raise InvalidScenario(f"{flag}: {text[:60]!r} can't be read; see --help for its form")
    return parts


def _time(text: str) -> str:
    """Return a time with an offset. A date is its midnight; without an offset it is in UTC."""
    text = text.strip()
    if _DATE.fullmatch(text):
        return f"{text}T00:00:00Z"
    return text if re.search(r"(Z|[+-]\d{2}:?\d{2})$", text) else f"{text}Z"
