"""`up` at a terminal: a live table that people can read, and Ctrl-C."""

from pathlib import Path

import pytest

from ingress.commands.demo_responder import TITLE
from tests.end_to_end.test_up import the_demo_is_over
from tests.support.eventually import eventually
from tests.support.patience import PROGRAM
from tests.support.terminal_screen import CTRL_C, Terminal, a_terminal
from tests.support.up_process import CALMO, WITHOUT_ANALYSES, UpProcess, all_gone, environment_with

SHOWN = ("severity", "status", "workflow_url")


async def until_shown(terminal: Terminal, text: str, within: float = PROGRAM) -> None:
    async def shown() -> str:
        return terminal.shown

    await eventually(shown, lambda seen: text in seen, within=within)


async def until_in_table(terminal: Terminal, texts: list[str]) -> None:
    """An address that is too long for the window may be broken into lines, but not cut."""

    async def lacking() -> list[str]:
        table = "".join(terminal.shown.split())
        return [text for text in texts if text not in table]

    await eventually(lacking, lambda left: not left)


async def until_ended(up: UpProcess) -> None:
    async def status() -> int | None:
        return up.running.returncode

    await eventually(status, lambda code: code is not None, within=PROGRAM)
    assert up.running.returncode == 0


async def play_the_demo(up: UpProcess, terminal: Terminal, speed: int) -> None:
    # Else these say how large the window is, and not the window itself: pytest-xdist sets both.
    sizes = {"COLUMNS", "LINES"}
    environment = {name: value for name, value in up.environment.items() if name not in sizes}
    await terminal.run([CALMO, "up", *up.options, "--speed", str(speed)], environment)
    up.process = terminal.process
    await until_shown(terminal, "is up after")
    await the_demo_is_over(up)


async def resolved_from_here(up: UpProcess, terminal: Terminal) -> None:
    await until_shown(terminal, f"“{TITLE}” was resolved from here (done); PagerDuty says: resolved")
    (resolved,) = [issue for issue in await up.issues() if issue["title"] == TITLE]
    timeline = (await up.issue(resolved["id"]))["timeline"]
    assert resolved["status"] == "resolved"
    said = [entry["summary"] for entry in timeline if entry["event_type"] == "incident.resolved"]
    assert said[-1:] == ["resolved by first key via Calmo"]


@pytest.mark.parametrize("columns", [140, pytest.param(60, marks=pytest.mark.torture)])
async def test_the_live_table_shows_each_issue_and_the_whole_address_of_its_workflow(
    tmp_path: Path, columns: int
) -> None:
    """In the wide one, an incident is also resolved from here and seen resolved at PagerDuty. At speed 2
    there is a quarter of a minute for that, from the reopening until somebody at PagerDuty does it.
    """
    variables = {"TERM": "xterm-256color", **WITHOUT_ANALYSES}
    up = UpProcess(tmp_path / "data", tmp_path, environment_with(tmp_path, **variables))
    async with a_terminal(columns=columns) as terminal:
        await play_the_demo(up, terminal, speed=2 if columns == 140 else 50)
        issues = await up.issues()
        family = up.family()
        await until_in_table(terminal, [issue[shown] for issue in issues for shown in SHOWN])
        # The wide terminal's user presses Ctrl-C, the narrow one's closes the window.
        if columns == 140:
            await resolved_from_here(up, terminal)
            terminal.press(CTRL_C)
            await until_shown(terminal, "stopped; everything is kept in", within=PROGRAM)
        else:
            terminal.close()
        await until_ended(up)
        await all_gone(family, within=0)

    assert len(issues) == 7
    assert "Traceback" not in terminal.shown
    # The critical ones are on red.
    assert b"41m critical" in terminal.raw
