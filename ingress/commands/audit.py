"""calmo-pagerduty audit …"""

from pathlib import Path
from typing import Annotated

import typer

from calmo_pagerduty.clients.requests import Json
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, DATA_DIR
from ingress.commands.output import emit
from ingress.commands.tool_view import audit_table

app = typer.Typer(no_args_is_help=True, help="Who called which tool, what was decided, what came of it.")


@app.command("list")
def list_rows(
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    before: Annotated[int | None, typer.Option(min=1, help="Rows before this number")] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List the latest rows, newest first."""
    params = [("limit", str(limit))] + ([("before", str(before))] if before else [])
    answer = client_of(data_dir).get("/api/audit", params)
    emit(answer, as_json, lambda answer: audit_table(answer["rows"]))


@app.command()
def verify(
    head: Annotated[str | None, typer.Option(help="The last hash, as noted at some earlier time")] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Check the whole chain. Ends with 1 and names the row if one was altered or taken away."""
    params = [("head", head)] if head else []
    found = client_of(data_dir).get("/api/audit/verification", params)
    emit(found, as_json, _verification)
    raise typer.Exit(0 if found["whole"] else 1)


def _verification(found: Json) -> str:
    if found["whole"]:
        return f"whole: {found['rows']} rows, head {found['head']}"
    return f"broken: {found['broken']}"
