"""Describes how a person sets up a webhook on PagerDuty's page."""

from calmo_pagerduty.webhooks.event_filters import EVENTS, EventFilter, EventSet


def pagerduty_steps(url: str, events: EventSet, only: EventFilter) -> list[str]:
    """Return the steps on PagerDuty's page, each as one line. `url` may be masked."""
    parts = only.filter_keys()
    names = [str(event_type) for event_type in EVENTS[events]]
    hidden = "…" in url
    steps = [
        "In PagerDuty, open Integrations, then Generic Webhooks (v3), and choose New Webhook.",
        f"Webhook URL: {url}"
        + (
            " (the whole address was shown when the webhook was made; if it is lost, make a new one)"
            if hidden
            else ""
        ),
        f"Scope: {_filter_text(parts)}.",
        "Description: anything by which you will recognise it, such as Calmo.",
        f"Events: tick {', '.join(names)}, and no service events."
        if events is not EventSet.ADVANCED
        else f"Events: tick all that begin with incident ({len(names)} of them), and no service events.",
        "Save it with Add Webhook, and copy the signing secret at once: PagerDuty never shows it again.",
    ]
    if len(parts) > 1:
        steps.append(
            "Do the same for each of the others, with the same address: each gets a secret of its own."
        )
    return steps


def setup_steps(url: str, handle: str, events: EventSet, only: EventFilter, has_secret: bool) -> list[str]:
    """Return the steps, each as one line. `url` may be masked: only its creation shows it whole."""
    steps = pagerduty_steps(url, events, only)
    more = " --add" if len(only.filter_keys()) > 1 else ""
    if not has_secret:
        steps.append(
            f"Give the secret to us: calmo-pagerduty webhook set-secret {handle}{more}"
            f" (it is read from standard input), or PUT /api/webhooks/{handle}/secret."
        )
    steps.append(
        "In PagerDuty, open the webhook and choose Send Test Event; then"
        f" calmo-pagerduty webhook wizard {handle} --wait 60 tells whether it arrived."
    )
    return steps


def _filter_text(parts: tuple[tuple[str, str | None], ...]) -> str:
    kind, identity = parts[0]
    if identity is None:
        return "Account (everything)"
    if len(parts) == 1:
        return f"{kind.capitalize()} {identity}"
    return f"{kind.capitalize()}, one webhook for each of {', '.join(str(id_) for _, id_ in parts)}"
