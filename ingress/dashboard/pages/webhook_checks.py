"""Checks of a webhook: the test from end to end, step by step, and a captured delivery."""

from starlette.responses import Response

from calmo_pagerduty.access.permissions import WEBHOOKS_READ, WEBHOOKS_WRITE
from calmo_pagerduty.webhooks.delivery_steps import TITLE_OF_STEP, DeliveryStep
from ingress.api.endpoints import NoInput
from ingress.api.models import NoBody
from ingress.dashboard.page import Action, Ask, Content, Page, PageAtOnce
from ingress.dashboard.pages.webhooks import HERE, SETS_UP, show_webhook
from ingress.webhooks.models import SampleBody


async def test(ask: Ask) -> PageAtOnce:
    """POST /dashboard/webhooks/{id}/test: all steps, in about half a minute. Raises WebhookConflict."""
    webhook = await ask.ingress.webhooks.show(ask.request, ask.caller, NoInput())
    result = await ask.ingress.webhook_tests.test(ask.request, ask.caller, NoBody())
    # A stream is only answered to a client that asks for one, and a form does not.
    assert not isinstance(result, Response)
    told = {step.name: step for step in result.steps}
    values = {
        "webhook": webhook,
        "result": result,
        # Every step is shown, also those that the delivery did not come to.
        "steps": [(TITLE_OF_STEP[name], told.get(name)) for name in DeliveryStep],
        "stopped": next((step for step in result.steps if step.ok is False), None),
        "titles": TITLE_OF_STEP,
        "address": f"{HERE}/{webhook.id}",
    }
    return PageAtOnce(TESTED, Content(values, title=f"Test of {webhook.name or webhook.id}"))


async def examine_sample(ask: Ask) -> PageAtOnce:
    """POST /dashboard/webhooks/{id}/sample: what is wrong with a captured delivery. Nothing is stored."""
    webhook = await ask.ingress.webhooks.show(ask.request, ask.caller, NoInput())
    # A browser sends line breaks as CR LF; PagerDuty's bodies hold none outside of JSON's strings.
    text = str(ask.form.get("body") or "").replace("\r\n", "\n").strip()
    body = SampleBody(body=text, signature=ask.text("signature"))
    result = await ask.ingress.webhook_tests.validate(ask.request, ask.caller, body)
    values = {"webhook": webhook, "sample": result, "address": f"{HERE}/{webhook.id}"}
    return PageAtOnce(SAMPLE, Content(values, title="A captured delivery"))


#: The answers to the forms; they have no address of their own.
TESTED = Page("/webhooks/{id}", "Test", WEBHOOKS_READ, show_webhook, "webhook_test", sets_up=SETS_UP)
SAMPLE = Page("/webhooks/{id}", "Sample", WEBHOOKS_READ, show_webhook, "webhook_sample", sets_up=SETS_UP)
ACTIONS = (
    Action("/webhooks/{id}/test", WEBHOOKS_WRITE, test),
    Action("/webhooks/{id}/sample", WEBHOOKS_WRITE, examine_sample),
)
