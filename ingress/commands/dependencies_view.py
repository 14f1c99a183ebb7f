"""Show maps of services, and what is critical, in a terminal. Nothing is said by colour alone."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from calmo_pagerduty.kernel.markdown_text import single_line
from ingress.commands.tool_view import cell_text, empty_table

Json = dict[str, Any]
MAX_NAMES = 5


def map_view(answer: Json) -> RenderableType:
    names = {service["key"]: service["name"] for service in answer["services"]}
    needs: dict[str, list[str]] = {}
    for edge in answer["dependencies"]:
        needs.setdefault(edge["dependent"], []).append(names[edge["supporting"]])
    table = empty_table("service", "kind", "open", "worst", "failed below", "depends on")
    ordered = sorted(
        answer["services"],
        key=lambda service: (not service["open_incidents"], -service["failed_below"], service["name"]),
    )
    for service in ordered:
        table.add_row(
            cell_text(service["name"]),
            service["kind"].removesuffix("_service"),
            str(len(service["open_incidents"]) or ""),
            cell_text(service["worst"] or ""),
            f"⚠ {service['failed_below']}" if service["failed_below"] else "",
            cell_text(_names(sorted(needs.get(service["key"], [])))),
        )
    notes = [f"cycle: {_names([service['name'] for service in circle], 20)}" for circle in answer["cycles"]]
    alone = [row["name"] for row in answer["without_dependencies"]]
    if alone:
        notes.append(f"without dependencies: {_names(alone, 20)}")
    if answer["unread_services"]:
        notes.append(f"the dependencies of {answer['unread_services']} services were not read yet")
    return Group(table, *(_line(note) for note in notes))


def critical_view(answer: Json) -> RenderableType:
    parts: list[RenderableType] = []
    for item in answer["business_services"]:
        parts.append(
            _line(
                f"{item['service']['name']}: impacted {item['impacted_hours']:g} h"
                f" since {answer['since'][:10]}, available {item['availability']:.3%}",
                "bold",
            )
        )
        chain = " → ".join(row["service"]["name"] for row in item["chain"])
        parts.append(_line(f"  critical chain: {chain or 'none'}"))
        parts.extend(
            _line(f"  if {gain['service']['name']} were 99.95 %, it would gain {gain['points']:.3g} points")
            for gain in item["gains"]
        )
        table = empty_table("service", "hours", "of them alone")
        for row in item["contributions"]:
            table.add_row(cell_text(row["service"]["name"]), f"{row['hours']:g}", f"{row['hours_alone']:g}")
        if item["contributions"]:
            parts.append(table)
    return Group(*(parts or [_line("The account has no business service.")]))


def single_points_view(answer: Json) -> RenderableType:
    if not answer["single_points"]:
        return _line("No service alone stands between a business service and others.")
    table = empty_table("service", "of", "hours", "alone before", "kind")
    for point in answer["single_points"]:
        table.add_row(
            cell_text(point["service"]["name"]),
            cell_text(point["business_service"]["name"]),
            f"{point['hours']:g}",
            cell_text(_names([row["name"] for row in point["behind"]])),
            "all depend on it" if point["is_common_ground"] else "gate",
        )
    return table


def undeclared_view(answer: Json) -> RenderableType:
    if not answer["proposals"]:
        return _line("No services begin to fail together more often than by chance.")
    table = empty_table("service", "seems to depend on", "together", "by chance", "p", "incidents")
    for row in answer["proposals"]:
        table.add_row(
            cell_text(row["dependent"]["name"]),
            cell_text(row["supporting"]["name"]),
            str(row["together"]),
            f"{row['expected']:g}",
            f"{row['p']:.2g}",
            cell_text(_names([" + ".join(pair) for pair in row["incidents"]], 3)),
        )
    return table


def changes_view(answer: Json) -> RenderableType:
    if not answer["changes"]:
        return _line("No dependency was added or removed since the first reading.")
    table = empty_table("what", "service", "depends on", "after", "by")
    for row in answer["changes"]:
        table.add_row(
            row["what"],
            cell_text(row["dependent"]["name"]),
            cell_text(row["supporting"]["name"]),
            row["after"],
            row["by"],
        )
    return table


def _names(names: list[str], most: int = MAX_NAMES) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _line(text: str, style: str = "") -> Text:
    return Text(single_line(text, 400), style=style)
