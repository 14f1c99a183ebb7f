"""An incident's post-incident report, as a page and as a file, and what people add to it."""

from calmo_pagerduty.access.permissions import FINDINGS_WRITE, ISSUES_READ
from calmo_pagerduty.post_incident.model import MAX_ADDITION_LENGTH, TITLE_OF_PART, PartName
from ingress.dashboard.page import Action, Ask, Content, Done, Page
from ingress.dashboard.security import ROOT
from ingress.findings.digest_endpoints import PageFormat
from ingress.post_incident.models import AdditionBody, PostIncidentQuery

_ENDINGS = {PageFormat.MARKDOWN: "md", PageFormat.HTML: "html", PageFormat.JSON: "json"}


async def show(ask: Ask) -> Content:
    """GET /dashboard/issues/{id}/post-incident; with `format`, it is a file. Raises ResourceNotFound."""
    if ask.request.query_params.get("format"):
        return await _file(ask)
    report = await ask.ingress.post_incidents.report(ask.request, ask.caller)
    values = {
        "report": report,
        "titles": TITLE_OF_PART,
        "longest": MAX_ADDITION_LENGTH,
        "chosen": PartName.LESSONS,
        "may_add": ask.may(FINDINGS_WRITE),
    }
    return Content(values, title=f"Post-incident report: {report.title}")


async def _file(ask: Ask) -> Content:
    query = ask.query(PostIncidentQuery)
    answer = await ask.ingress.post_incidents.show(ask.request, ask.caller, query)
    name = f"post-incident-{ask.request.path_params['id']}.{_ENDINGS[query.format]}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.headers["Cache-Control"] = "no-store"
    return Content(file=answer)


async def add(ask: Ask) -> Done:
    """POST /dashboard/issues/{id}/post-incident/additions. Raises ResourceNotFound, TooManyAdditions."""
    body = AdditionBody.model_validate({"part": ask.text("part"), "text": ask.text("text") or ""})
    await ask.ingress.post_incidents.add(ask.request, ask.caller, body)
    path = f"{ROOT}/issues/{ask.request.path_params['id']}/post-incident"
    return Done(path, "Added. It stays when the report is made again.")


PAGES = (Page("/issues/{id}/post-incident", "Post-incident report", ISSUES_READ, show, "post_incident"),)
ACTIONS = (Action("/issues/{id}/post-incident/additions", FINDINGS_WRITE, add),)
