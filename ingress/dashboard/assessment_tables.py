"""The tables of an issue's assessment: what its impact is made of, and the services around it."""

from typing import Any, NamedTuple

from calmo_pagerduty.contexts.model import Assessment, Contribution, DependencyNode
from calmo_pagerduty.contexts.rendering.wording import factor_label
from ingress.dashboard.tables import Column, Table


class ServiceAround(NamedTuple):
    """A service, and where it stands from the service of the incident."""

    node: DependencyNode
    where: str


def assessment_tables(assessment: Assessment | None) -> dict[str, Table[Any]]:
    """Return the tables by name; none for an issue without a context."""
    if assessment is None:
        return {}
    return {"factors": _factors(assessment), "services": _services(assessment)}


def _factors(assessment: Assessment) -> Table[Contribution]:
    return Table(
        "Factors of the impact",
        (
            Column("Factor", lambda factor: factor_label(factor).capitalize()),
            Column("Points", _points, is_figure=True),
            Column("Of", lambda factor: f"{factor.weight:g}", is_figure=True),
            Column("Why", lambda factor: factor.why),
        ),
        assessment.impact.contributions,
    )


def _points(factor: Contribution) -> str:
    return "unknown" if factor.points is None else f"{factor.points:.3g}"


def _services(assessment: Assessment) -> Table[ServiceAround]:
    view = assessment.surrounding
    sides = (
        ("business", view.business),
        ("depends on it", view.downstream),
        ("it depends on", view.upstream),
    )
    return Table(
        "Services around the incident",
        (
            Column("Service", lambda row: row.node.thing.name or row.node.thing.id, cell="service_around"),
            Column("Where", lambda row: row.where),
            Column("Hops", lambda row: str(row.node.hops), is_figure=True),
            Column("Open incident", lambda row: "yes" if row.node.has_open_incident else "no"),
        ),
        [ServiceAround(node, where) for where, nodes in sides for node in nodes],
    )
