"""Logs: each line has a fixed event name and fields. Callers never pass secrets as fields."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.untrusted_text import sanitize_text

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(level: str, form: Literal["text", "json"]) -> None:
    """Send all loggers to stderr, as text or JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "asyncio", "alembic", "sse_starlette"):
        logging.getLogger(noisy).setLevel("WARNING")


def fault_fields(error: BaseException) -> dict[str, str]:
    """Return the type of an error and where it was raised, innermost last: `file:line function`.

    Its message is left out, because it may quote what people wrote.
    """
    places = traceback.extract_tb(error.__traceback__)
    where = " > ".join(f"{Path(place.filename).name}:{place.lineno} {place.name}" for place in places)
    return {"error": type(error).__name__, "where": where}


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _explained(record: logging.LogRecord) -> ExplainedError | None:
    """Return the error whose words say all, if the line is about one: an outage fills no log with traces."""
    error = record.exc_info[1] if record.exc_info else None
    return error if isinstance(error, ExplainedError) else None


def _explanation(record: logging.LogRecord) -> dict[str, str]:
    error = _explained(record)
    return {} if error is None else {"error": f"{type(error).__name__}: {error}"}


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        line |= _explanation(record)
        if record.exc_info and _explained(record) is None:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        fields = " ".join(
            f"{name}={value}" for name, value in {**_fields(record), **_explanation(record)}.items()
        )
        line = _one_line(f"{at} {record.levelname.lower():7} {record.getMessage()} {fields}".rstrip())
        if record.exc_info and _explained(record) is None:
            trace = self.formatException(record.exc_info)
            line += "\n" + sanitize_text(trace, len(trace))
        return line


def _one_line(text: str) -> str:
    """Return the text without control characters, so that no value can begin a line of its own."""
    return " ".join(sanitize_text(text, len(text)).replace("\t", " ").splitlines())
