"""A part that finds no database at its start ends with a sentence, for what runs it to start it again."""

import logging
from pathlib import Path

import pytest

from ingress import cli


@pytest.mark.parametrize("command", ["ingress", "worker"])
def test_a_part_without_a_database_says_so_and_ends(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # a program sets its own
    monkeypatch.setenv("CALMO_DATABASE_URL", "postgresql://somebody:a-password@127.0.0.1:1/none")
    monkeypatch.setenv("CALMO_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["calmo-pagerduty", command])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert "the database can't be used" in said and "Traceback" not in said and "a-password" not in said
