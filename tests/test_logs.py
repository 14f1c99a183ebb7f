"""Lines of the log: one JSON object each, in a fixed shape that operators parse."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Literal

import pytest

from calmo_pagerduty import logs
from calmo_pagerduty.db.database import StoreUnavailable


@pytest.fixture(autouse=True)
def _own_handlers() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_json_with_its_fields_beside_the_event(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "json")
    logging.getLogger("calmo.door").warning("delivery_%s", "refused", extra={"verdict": "gone", "at_all": 3})
    line = json.loads(capsys.readouterr().err)
    at = line.pop("at")
    assert list(line) == ["level", "logger", "event", "verdict", "at_all"]
    assert line == {
        "level": "WARNING",
        "logger": "calmo.door",
        "event": "delivery_refused",
        "verdict": "gone",
        "at_all": 3,
    }
    assert len(at) == len("2026-05-01T12:00:00.000+00:00") and at.endswith("+00:00")


def test_an_exception_is_in_its_line_and_what_is_not_json_becomes_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("INFO", "json")
    try:
        raise ValueError("bäd\nnews")
    except ValueError:
        logging.getLogger("calmo").exception(
            "it_failed",
            extra={
                "what": {
                    1,
                },
                "path": sys,
            },
        )
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    line = json.loads(written)
    assert line["exception"].endswith("ValueError: bäd\nnews")
    assert line["what"] == "{1}"


def test_text_has_the_same_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "text")
    logging.getLogger("calmo").info("begun", extra={"port": 8080})
    assert capsys.readouterr().err.split(" ", 1)[1] == "info    begun port=8080\n"


def test_a_fault_is_logged_by_its_type_and_place_without_its_message() -> None:
    try:
        raise ValueError("Ada wrote this")
    except ValueError as error:
        fields = logs.fault_fields(error)
    assert fields["error"] == "ValueError"
    assert fields["where"].endswith(" test_a_fault_is_logged_by_its_type_and_place_without_its_message")
    assert "Ada" not in str(fields)


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_error_that_says_all_is_one_line_without_a_trace(
    form: Literal["json", "text"], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO", form)
    try:
        raise StoreUnavailable("OperationalError: the server is gone")
    except StoreUnavailable:
        logging.getLogger("temporalio.activity").warning("Completing activity as failed", exc_info=True)
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert "StoreUnavailable: OperationalError: the server is gone" in written
    assert "Traceback" not in written
