"""Two accounts made by hand: a cascade that began at the database, and one as large as they come."""

from datetime import timedelta

from calmo_pagerduty.contexts.analysis.inputs import (
    AssessmentInput,
    Change,
    LogLine,
    OnCall,
    PagerDutySuggestions,
)
from calmo_pagerduty.pagerduty.webhook_events import Reference
from tests.support.chance import repeatable
from tests.support.incident_worlds import (
    BEGAN,
    OWN,
    ago,
    an_alert,
    an_open,
    around_it,
    depends,
    deploys,
    past,
    people,
    the_incident,
)


def a_database_cascade() -> AssessmentInput:
    """A schema change on the database, its incident, then the API's, then the checkout's: this one."""
    graph = depends(
        ("DB", "API"), ("DB", "SEARCH"), ("API", OWN), (OWN, "SHOP"), (OWN, "MAIL"), business=["SHOP"]
    )
    old = [past(f"D{day}", ago(days=day), "DB", title="Replica lags") for day in (20, 60, 100, 140)]
    seen = [past(f"P{day:03}", ago(days=day), by="ANN") for day in range(2, 170, 5)]
    weekly = [ago(days=7 * week, hours=3) for week in range(1, 5)]
    return around_it(
        incident=the_incident(priority="P1", urgency="high", responders=2),
        alerts=(an_alert("A1"), an_alert("A2")),
        log=(LogLine("L1", "escalate", BEGAN),),
        dependencies=graph,
        open_incidents=(
            an_open("PDB", "DB", ago(minutes=3)),
            an_open("PAPI", "API", ago(minutes=2)),
            an_open("PMAIL", "MAIL", BEGAN + timedelta(seconds=30)),
        ),
        changes=(
            *deploys("DB", ago(minutes=9), *weekly),
            *deploys(OWN, ago(hours=20), *weekly),
            *deploys("MAIL", ago(minutes=1)),
        ),
        past=(*old, *seen),
        people=people("ANN", "BOB", time_zone="Europe/London"),
        on_call=(OnCall(1, "BOB"),),
        pagerduty_suggestions=PagerDutySuggestions(past=(("P002", 90.0),), related=("PDB",)),
    )


def a_large_account() -> AssessmentInput:
    """10,000 past incidents, 20,000 changes, 500 services with 2,000 dependencies: one cause, one like it."""
    luck = repeatable(5)
    services = [f"S{number:03}" for number in range(500)]
    edges: set[tuple[str, str]] = set()
    while len(edges) < 2000:
        service, other = luck.sample(services, 2)
        edges.add((min(service, other), max(service, other)))
    supporting = min(here for here, there in edges if there == "S300")
    nouns, states = ["Disk", "CPU", "Memory"], ["full", "high"]
    incidents = [
        past(
            f"P{number}",
            ago(days=180 * luck.random()),
            luck.choice(services),
            title=f"{luck.choice(nouns)} of host {number} is {luck.choice(states)}",
            by=f"U{number % 50}",
        )
        for number in range(9_999)
    ]
    changes = [
        Change(f"C{number}", "Deploy", ago(days=1 + 29 * luck.random()), (luck.choice(services),))
        for number in range(19_999)
    ]
    like_it = past("PSAME", ago(days=3), "S300", title="Queue of worker 4 is stuck", by="U1")
    return around_it(
        incident=the_incident(title="Queue of worker 17 is stuck", service=Reference("S300", "service")),
        dependencies=depends(*edges),
        past=(*incidents, like_it),
        changes=(*changes, *deploys(supporting, ago(minutes=1))),
        people=people(*(f"U{number}" for number in range(50))),
    )
