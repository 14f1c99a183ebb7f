"""An incident played again: what its workflow decided on each delivery, and why."""

from calmo_pagerduty.access.permissions import DELIVERIES_READ
from ingress.api.endpoints import NoInput
from ingress.dashboard.looks import LOOK_OF_STATUS
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.tables import Column, Table
from ingress.incidents.replay_models import ReplayStepModel


async def show(ask: Ask) -> Content:
    """GET /dashboard/issues/{id}/replay. Raises ResourceNotFound, NotAnIncident."""
    replay = await ask.ingress.replays.show(ask.request, ask.caller, NoInput())
    columns: tuple[Column[ReplayStepModel], ...] = (
        Column("Delivery", lambda step: str(step.seq), is_figure=True),
        Column(
            "Happened", lambda step: step.occurred_at.isoformat() if step.occurred_at else "", cell="happened"
        ),
        Column("Event", lambda step: step.event_type or "", cell="event_type"),
        Column("Outcome", lambda step: step.outcome),
        Column("Status after", lambda step: LOOK_OF_STATUS[step.after.status].word, cell="status_after"),
        Column("Why", lambda step: step.reason),
        Column("Did", lambda step: "; ".join(step.effects)),
        Column("As then", lambda step: {True: "yes", False: "no", None: ""}[step.agrees]),
    )
    empty = "No delivery of this incident is stored any more."
    return Content(
        {"replay": replay}, {"steps": Table("Steps", columns, replay.steps, empty=empty)}, title="Replay"
    )


PAGES = (Page("/issues/{id}/replay", "Replay", DELIVERIES_READ, show, "incident_replay"),)
