"""The commands `calmo-pagerduty audit …`."""

from pathlib import Path
from typing import Annotated

import typer

from calmo_pagerduty.clients.requests import Json
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, DATA_DIR
from ingress.commands.output import emit
from ingress.commands.tool_view import audit_table

_UNSIGNED = "they were written by a version before signatures, or by somebody without the master key"

app = typer.Typer(no_args_is_help=True, help="Read and verify the audit chain of tool calls and changes.")


@app.command("list")
def list_rows(
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    before: Annotated[int | None, typer.Option(min=1, help="Only rows before this number")] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List the latest audit rows, newest first."""
    params = [("limit", str(limit))] + ([("before", str(before))] if before else [])
    answer = client_of(data_dir).get("/api/audit", params)
    emit(answer, as_json, lambda answer: audit_table(answer["rows"]))


@app.command()
def verify(
    head: Annotated[str | None, typer.Option(help="A last hash that you noted earlier")] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Verify the audit hash chain. Exits with 1 and names the row if a row was changed or removed."""
    params = [("head", head)] if head else []
    result = client_of(data_dir).get("/api/audit/verification", params)
    emit(result, as_json, _verification)
    raise typer.Exit(0 if result["whole"] else 1)


def _verification(result: Json) -> str:
    if result["whole"]:
        sealed = f" after {result['sealed_rows']} sealed ones" if result["sealed_rows"] else ""
        return f"whole: {result['rows']} rows{sealed}, head {result['head']}\n{_signed(result)}"
    return f"broken: {result['broken']}"


def _signed(result: Json) -> str:
    """Say which of the rows that are there are signed."""
    rows, signed = result["rows"], result["signed_rows"]
    if not rows:
        return "no row to sign"
    if signed == rows:
        return "all rows are signed"
    if not signed:
        return f"no row is signed: {_UNSIGNED}"
    return (
        f"{signed} rows are signed, from row {result['signed_from']} on; {rows - signed} are not: {_UNSIGNED}"
    )
