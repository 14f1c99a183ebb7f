"""The map in all its forms, small and large; the report and the findings made of it."""

from dataclasses import replace

from calmo_pagerduty.dependencies.analysis import analyse
from calmo_pagerduty.dependencies.collapsing import KEPT_PER_BOX, MAX_BOXES, collapse
from calmo_pagerduty.dependencies.graph import graph_of
from calmo_pagerduty.dependencies.picture import map_figure
from calmo_pagerduty.dependencies.service_map import MapFilter, OpenIncident, ServiceMap, service_map
from calmo_pagerduty.dependencies.text_forms import dot, map_description, map_document, map_rows, mermaid
from calmo_pagerduty.snapshots.dependency_model import (
    BusinessService,
    Dependency,
    ServiceDependencies,
    ServiceKey,
    ServiceKind,
)
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Incident,
    SectionName,
    SectionState,
    Service,
    Urgency,
)
from tests.support.chance import repeatable
from tests.support.pictures import parsed_picture
from tests.support.plot_examples import HOSTILE
from tests.support.small_accounts import DAY, HOUR, MONDAY, account

SHOP = ServiceKey(ServiceKind.BUSINESS, "PSHOP")
DB, API, WEB = (ServiceKey(ServiceKind.TECHNICAL, name) for name in ("PDB", "PAPI", "PWEB"))


def world(*edges: tuple[ServiceKey, ServiceKey], **fields: object) -> AccountSnapshot:
    """Return an account of a shop: the API needs a database, the web the API."""
    edges = edges or ((DB, API), (API, WEB), (WEB, SHOP))
    services = tuple(
        Service(key.id, name, None, "active", None, ("PTEAM",))
        for key, name in (
            (DB, HOSTILE),
            (API, "API"),
            (WEB, "Web"),
            (ServiceKey(ServiceKind.TECHNICAL, "PX"), "Alone"),
        )
    )
    read: dict[ServiceKey, list[Dependency]] = {SHOP: []}
    read |= {ServiceKey(ServiceKind.TECHNICAL, service.id): [] for service in services}
    for low, high in edges:
        read[low].append(Dependency(low, high, MONDAY - DAY, MONDAY))
    return account(
        services=services,
        business_services=(BusinessService("PSHOP", "Shop"),),
        dependencies=tuple(
            ServiceDependencies(key, MONDAY, tuple(found)) for key, found in sorted(read.items())
        ),
        **fields,
    )


def incident(service: str, begun: int, hours: int = 1) -> Incident:
    return Incident(
        f"Q{begun}{service}", 1, None, service, None, Urgency.HIGH, begun, begun + hours * HOUR, "resolved"
    )


OPEN = (OpenIncident("Q1", "PDB", Urgency.HIGH, "P2"), OpenIncident("Q2", "PDB", Urgency.HIGH, "P1"))


def drawn(shown: ServiceMap) -> str:
    return map_figure(collapse(shown, {}), "Map", map_description(shown)).document()


def test_an_incident_shows_on_its_service_and_above_with_the_worst_priority() -> None:
    shown = service_map(world(), MONDAY, OPEN, MapFilter())
    assert {key.id: (node.worst, node.failed_below) for key, node in shown.nodes.items()} == {
        "PDB": ("P1", 0), "PAPI": (None, 1), "PWEB": (None, 1), "PSHOP": ("P1", 1), "PX": (None, 0),
    }  # fmt: skip
    rows = [(row.node.service.key.id, row.depends_on, row.supports) for row in map_rows(shown)]
    assert rows[0] == ("PSHOP", ("Web",), ()) and rows[-1] == ("PX", (), ())
    assert [found["key"] for found in map_document(shown)["without_dependencies"]] == ["technical_service:PX"]


def test_each_form_says_the_same_and_no_name_becomes_markup() -> None:
    shown = service_map(world(), MONDAY, OPEN, MapFilter())
    picture = drawn(shown)
    parsed_picture(picture)
    assert picture == drawn(shown)
    assert HOSTILE not in picture and "P1, 2 open" in picture and "⚠ 1 below" in picture
    boxes = collapse(shown, {})
    assert [box_id.partition(":")[2] for layer in boxes.layers for box_id in layer] == [
        "PDB",
        "PAPI",
        "PWEB",
        "PSHOP",
    ]
    assert HOSTILE not in mermaid(boxes) and mermaid(boxes).count("-->") == 3
    assert dot(boxes).count(" -> ") == 3


def test_a_map_of_circles_is_drawn_with_a_dashed_line() -> None:
    shown = service_map(world((DB, API), (API, WEB), (WEB, DB), (WEB, SHOP)), MONDAY, (), MapFilter())
    boxes = collapse(shown, {})
    assert len(boxes.returning) == 1 and len(boxes.layers) == 4
    assert 'class="dashed"' in drawn(shown)


def test_a_map_of_nothing_says_so() -> None:
    assert "No service has a known dependency" in drawn(service_map(account(), MONDAY, (), MapFilter()))


def test_500_services_become_boxes_of_teams_and_the_picture_stays_small() -> None:
    rng = repeatable(1)
    keys = [ServiceKey(ServiceKind.TECHNICAL, f"S{number:03}") for number in range(500)]
    pairs = {tuple(rng.sample(keys, 2)) for _ in range(2_000)} | {(keys[-1], SHOP)}
    supports = {key: [Dependency(low, high, 1, 1) for low, high in pairs if low == key] for key in keys}
    snapshot = account(
        services=tuple(
            Service(key.id, key.id, None, "active", None, (f"T{number % 25}",))
            for number, key in enumerate(keys)
        ),
        business_services=(BusinessService("PSHOP", "Shop"),),
        dependencies=tuple(ServiceDependencies(key, 1, tuple(found)) for key, found in supports.items()),
    )
    shown = service_map(snapshot, MONDAY, (), MapFilter())
    boxes = collapse(shown, {"T1": "Team one"})
    assert len(boxes.boxes) == 26 <= MAX_BOXES
    assert len(boxes.edges) <= 26 * KEPT_PER_BOX and boxes.left_out > 1_000
    assert sum(len(box.members) for box in boxes.boxes.values()) == 501
    assert len(drawn(shown)) < 200_000
    near = service_map(snapshot, MONDAY, (), MapFilter(focus=keys[7], hops=1))
    assert not collapse(near, {}).is_collapsed


def test_a_single_point_and_a_circle_become_findings_that_a_conclusive_run_resolves() -> None:
    failing = world(incidents=(incident("PAPI", MONDAY - 10 * DAY, 9), incident("PDB", MONDAY - 10 * DAY, 2)))
    result = analyse(failing, MONDAY)
    assert [(found.code, found.key, found.severity) for found in result.findings] == [
        ("single_point_of_failure", "technical_service:PAPI", "medium"),
    ]
    assert result.findings[0].evidence[1].data["hours"] == 9.0
    assert result.inputs.conclusive_codes and result.metrics["services_without_dependencies"] == 1
    circle = analyse(world((API, WEB), (WEB, API), (WEB, SHOP)), MONDAY)
    assert [found.code for found in circle.findings] == ["dependency_cycle"]


def test_a_run_that_could_not_read_everything_resolves_nothing() -> None:
    snapshot = world()
    cut_short = tuple(
        replace(section, state=SectionState.FORBIDDEN)
        if section.name is SectionName.DEPENDENCIES
        else section
        for section in snapshot.sections
    )
    assert analyse(replace(snapshot, sections=cut_short), MONDAY).inputs.conclusive_codes == ()
    unread = replace(snapshot, dependencies=snapshot.dependencies[1:])
    assert analyse(unread, MONDAY).inputs.conclusive_codes == ()
    assert graph_of(account()).edges == ()
