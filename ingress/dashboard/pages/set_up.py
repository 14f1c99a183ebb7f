"""Set up: what the pages that set things up are for."""

from calmo_pagerduty.access.permissions import ISSUES_READ
from ingress.dashboard.first_steps import first_step
from ingress.dashboard.page import Ask, Content, Page


async def show(ask: Ask) -> Content:
    """GET /dashboard/set-up"""
    return Content({"first_step": await first_step(ask)})


#: The template draws the pages that the caller may see, with their `sets_up`.
PAGE = Page("/set-up", "Set up", ISSUES_READ, show, "set_up")
