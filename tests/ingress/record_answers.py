"""Record what a running demo answers to each command: `python tests/ingress/record_answers.py DATA_DIR`.

Start the demo with `calmo-pagerduty up --data-dir DATA_DIR`, and wait until its first analysis has ended.
`test_hostile_answers.py` runs the commands again on these answers.
"""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from ingress.commands.instances import api_address

RECORDED = Path(__file__).parent / "recorded" / "answers.json"
SECONDS = 120
#: Lists of objects are cut to so many rows. Answers whose rows name each other are kept whole.
ROWS = 2
WHOLE = ("dependencies map", "readiness")

#: The command lines. FILE is a calendar; what stands in braces is looked up in the demo.
COMMAND_LINES = (
    "absences import {person} FILE", "absences list", "absences remove {person}",
    "api-key list",
    "audit list", "audit verify",
    "capacity show", "trends show", "performance show", "patterns show", "patterns stories",
    "connection list", "connection show {connection}", "connection test {connection}",
    "connection targets {connection}",
    "context {incident}", "context {incident} --markdown",
    "coverage", "coverage --grid", "readiness",
    "deliveries list", "deliveries refusals", "deliveries show {delivery}",
    "deliveries replay --incident {incident}",
    "dependencies map", "dependencies changes", "dependencies critical", "dependencies single-points",
    "dependencies undeclared",
    "doctor",
    "escalation drills", "escalation lint", "escalation response", "escalation simulate {service}",
    "escalation drill-service {service}",
    "explain {incident}",
    "findings list", "findings show {finding}", "findings accept {finding}", "findings undo {finding}",
    "findings dismiss {finding} --reason known", "findings digest --preview",
    "issues list", "issues show {issue}", "issues replay {issue}", "issues post-incident {issue}",
    "issues add-to-report {issue} {text}",
    "oncall report", "oncall snapshots", "oncall status",
    "reconcile {connection}",
    "report make service-review", "report list", "report schedule service-review --every month",
    "tool list", "tool calls", "tool call list_incidents", "tool call list_on_call_users", "tool show {call}",
    "webhook list", "webhook show {webhook}", "webhook deliveries {webhook}", "webhook pause {webhook}",
    "webhook resume {webhook}", "webhook doctor",
    "what-if ask --clock-change --save summer", "what-if list",
    "what-if optimise {schedule}",
    "workload show", "workload settings", "workload working-time", "workload cover-requests",
)  # fmt: skip


class _Proxy(http.server.BaseHTTPRequestHandler):
    """Passes requests on to the demo, and keeps the answers."""

    url = ""
    answers: list[dict[str, Any]]

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        kept = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        answer = httpx.request(
            self.command, type(self).url + self.path, headers=kept, content=body, timeout=SECONDS
        )
        kind = answer.headers.get("content-type", "application/json")
        if answer.is_success:
            row = {"method": self.command, "path": self.path.partition("?")[0], "type": kind}
            type(self).answers.append(row | {"body": answer.json() if "json" in kind else answer.text})
        self.send_response(answer.status_code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 - http.server calls these names

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def look_up(url: str, key: str) -> Mapping[str, str]:
    """Return what stands for the words in braces."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=SECONDS) as http:

        def get(path: str, **query: str) -> Any:
            return http.get(path, params=query).raise_for_status().json()

        connection = get("/api/connections")["connections"][0]["id"]
        of_connection = f"/api/connections/{connection}"
        issue = next(row for row in get("/api/issues")["issues"] if row["origin"] == "incident")
        coverage = get(f"{of_connection}/coverage")
        return {
            "connection": connection,
            "issue": issue["id"],
            "incident": issue["incident_id"],
            "service": issue["service"]["name"],
            "person": issue["assignees"][0]["id"],
            "delivery": str(get("/api/deliveries")["deliveries"][0]["seq"]),
            "finding": str(get("/api/findings")["findings"][0]["id"]),
            "webhook": get("/api/webhooks")["webhooks"][0]["id"],
            "call": get("/api/tool-calls")["calls"][0]["call_id"],
            "schedule": next(row["name"] for row in coverage["schedules"] if row["name"].endswith("primary")),
            "text": "A text",
        }


def cut(value: Any) -> Any:
    """Return the value with its rows cut. A list of anything but objects is a row itself."""
    if isinstance(value, list):
        rows = value[:ROWS] if all(isinstance(part, dict) for part in value) else value
        return [cut(part) for part in rows]
    return {name: cut(part) for name, part in value.items()} if isinstance(value, dict) else value


def record(line: str, words: Mapping[str, str], address: str, key: str, calendar: Path) -> dict[str, Any]:
    """Run a command line at the proxy. Raises RuntimeError if it got no answer."""
    arguments = [word.format(**words) for word in line.split()]
    _Proxy.answers = []
    run = subprocess.run(
        [sys.executable, "-m", "ingress", *(str(calendar) if word == "FILE" else word for word in arguments)],
        env={**os.environ, "CALMO_URL": address, "CALMO_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if not _Proxy.answers or not run.stdout:
        raise RuntimeError(f"{line}: {run.stderr or run.stdout}")
    answers = _Proxy.answers if line.startswith(WHOLE) else [cut(row) for row in _Proxy.answers]
    return {"command": line, "arguments": arguments, "answers": answers}


def main(data_dir: str) -> None:
    url, key = api_address(Path(data_dir))
    words = look_up(url, key)
    calendar = Path(data_dir) / "away.csv"
    calendar.write_text("start,end\n2026-12-01,2026-12-05\n")
    _Proxy.url = url
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        recorded = []
        for line in COMMAND_LINES:
            try:
                recorded.append(record(line, words, address, key, calendar))
            except RuntimeError as problem:
                sys.stderr.write(f"{problem}\n")
        server.shutdown()
    RECORDED.write_text(json.dumps(recorded, separators=(",", ":"), sort_keys=True) + "\n")
    sys.stdout.write(f"{len(recorded)} of {len(COMMAND_LINES)} are recorded\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
