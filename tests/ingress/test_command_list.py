"""The list of commands says what the commands say of themselves."""

import pytest

from ingress.cli import COMMANDS, LazyCommand


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row[0])
def test_a_command_is_listed_with_its_own_first_sentences(row: tuple[str, str, str]) -> None:
    name, _, text = row
    command = LazyCommand(*row).loaded
    assert (command.name, command.help.partition("\n\n")[0].replace("\n", " ")) == (name, text)
