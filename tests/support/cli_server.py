"""Runs our command line again and again without importing it again: each run is a fork of this process.

Started by tests/support/terminal.py as a program of its own, with the path of a socket. A run is asked for by
one line of JSON (arguments, environment, standard input) and answered by one line (code, out, error).
"""

import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any


def run_once(asked: dict[str, Any]) -> dict[str, Any]:
    """Fork, run one command in the child as the installed program would, and return what it wrote."""
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as error,
    ):
        given.write(asked["said"].encode())
        given.seek(0)
        child = os.fork()
        if child == 0:
            for number, file in enumerate((given, out, error)):
                os.dup2(file.fileno(), number)
            os.environ.clear()
            os.environ.update(asked["environment"])
            sys.argv = ["calmo-pagerduty", *asked["arguments"]]
            os._exit(_exit_code())
        _, status = os.waitpid(child, 0)
        out.seek(0)
        error.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "out": out.read().decode(),
            "error": error.read().decode(),
        }


def _exit_code() -> int:
    from ingress.cli import main

    try:
        main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return code if isinstance(code, int) else 0 if code is None else 1


def serve(path: Path) -> None:
    # What a command imports when it is called, or while it runs, is imported once here and not in each run.
    import ingress.commands.context_progress
    import ingress.commands.context_view
    import ingress.commands.local_store
    import ingress.mcp.stdio  # noqa: F401 - to import it is what takes long
    from ingress.cli import COMMANDS, LazyCommand

    for row in COMMANDS:
        assert LazyCommand(*row).loaded

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                with connection, connection.makefile("rw") as lines:
                    lines.write(json.dumps(run_once(json.loads(lines.readline()))) + "\n")
                os._exit(0)
            connection.close()
            # Runs that have ended; those under way are waited for later.
            while _reaped():
                pass


def _reaped() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
