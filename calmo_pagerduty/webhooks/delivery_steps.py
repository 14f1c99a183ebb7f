"""The steps of a webhook's end-to-end test, and at which of them each verdict of the receiver stops.

The receiver answers a delivery with a single verdict. It names the step that failed, so the steps before
that one were passed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from calmo_pagerduty.deliveries.model import Verdict


class DeliveryStep(StrEnum):
    """The steps of the test, in the order of a delivery's way. The cleaning follows whatever happened."""

    ADDRESS = "address"
    TLS = "tls"
    DELIVERY = "delivery"
    SIGNATURE = "signature"
    PARSING = "parsing"
    INBOX = "inbox"
    DUPLICATE = "duplicate"
    FORWARDING = "forwarding"
    WORKFLOW = "workflow"
    ISSUE = "issue"
    RESOLUTION = "resolution"
    CLEANING = "cleaning"
    PING = "ping"


#: What is said of a step as a heading, for people.
TITLE_OF_STEP: Mapping[DeliveryStep, str] = {
    DeliveryStep.ADDRESS: "Address answers",
    DeliveryStep.TLS: "TLS agreed",
    DeliveryStep.DELIVERY: "Reached",
    DeliveryStep.SIGNATURE: "Signature checked",
    DeliveryStep.PARSING: "Parsed",
    DeliveryStep.INBOX: "Kept",
    DeliveryStep.DUPLICATE: "Deduplicated",
    DeliveryStep.FORWARDING: "Forwarded",
    DeliveryStep.WORKFLOW: "Workflow signalled",
    DeliveryStep.ISSUE: "Issue opened",
    DeliveryStep.RESOLUTION: "Issue resolved",
    DeliveryStep.CLEANING: "Cleared up",
    DeliveryStep.PING: "PagerDuty's own ping",
}

#: What is said of a step that the receiver's verdict proves.
WORDS_OF_PASSED: Mapping[DeliveryStep, str] = {
    DeliveryStep.DELIVERY: "our receiver took the signed delivery and answered",
    DeliveryStep.SIGNATURE: "the signature verified over the body as it arrived",
    DeliveryStep.PARSING: "the event was understood",
}


@dataclass(frozen=True, slots=True)
class DeliveryFault:
    """Where a delivery stops, why, and what to do."""

    step: DeliveryStep
    words: str
    advice: str


_PROXY = "look at the proxy in front of the ingress: it must pass headers and body on unchanged"
_SAME_DATABASE = "check that CALMO_PUBLIC_URL leads to an ingress with this very database"
_AGAIN = "test again in a minute; Operations shows what the ingress is busy with"

#: Every verdict on a delivery of ours that stops it; `accepted` alone stops nothing.
FAULT_OF_VERDICT: Mapping[Verdict, DeliveryFault] = {
    Verdict.UNKNOWN_WEBHOOK: DeliveryFault(
        DeliveryStep.DELIVERY, "a receiver answers that does not know this webhook", _SAME_DATABASE
    ),
    Verdict.DELETED_WEBHOOK: DeliveryFault(
        DeliveryStep.DELIVERY, "the receiver knows this webhook as deleted", _SAME_DATABASE
    ),
    Verdict.TOO_LARGE: DeliveryFault(
        DeliveryStep.DELIVERY, "the body arrived longer than it was sent", _PROXY
    ),
    Verdict.SLOW_BODY: DeliveryFault(DeliveryStep.DELIVERY, "the body did not arrive in time", _PROXY),
    Verdict.STORE_UNAVAILABLE: DeliveryFault(
        DeliveryStep.DELIVERY, "the receiver's database did not answer", "see /readyz, and the database's log"
    ),
    Verdict.OVERLOADED: DeliveryFault(
        DeliveryStep.DELIVERY, "the receiver has too much to do and asks to send it later", _AGAIN
    ),
    Verdict.SHUTTING_DOWN: DeliveryFault(DeliveryStep.DELIVERY, "the receiver is shutting down", _AGAIN),
    Verdict.NO_SECRET: DeliveryFault(
        DeliveryStep.SIGNATURE, "the receiver has no signing secret to check it with", "set the secret first"
    ),
    Verdict.MISSING_SIGNATURE: DeliveryFault(
        DeliveryStep.SIGNATURE, "the header X-PagerDuty-Signature did not arrive", _PROXY
    ),
    Verdict.LEGACY_PAYLOAD: DeliveryFault(
        DeliveryStep.SIGNATURE, "the signature did not arrive, and the body is of an old version", _PROXY
    ),
    Verdict.UNSUPPORTED_SCHEME: DeliveryFault(
        DeliveryStep.SIGNATURE, "the signature arrived changed: its version is unknown", _PROXY
    ),
    Verdict.MISMATCH: DeliveryFault(
        DeliveryStep.SIGNATURE, "the signature does not fit the body that arrived", _PROXY
    ),
    Verdict.UNPROVEN: DeliveryFault(
        DeliveryStep.SIGNATURE, "the signature did not verify, as none has yet at this webhook", _PROXY
    ),
    Verdict.GUARDED: DeliveryFault(
        DeliveryStep.SIGNATURE,
        "the signature did not verify, as those of earlier deliveries today",
        "look at the refusals on the webhook's page, and at the proxy in front of the ingress",
    ),
    Verdict.DEAD_LETTER: DeliveryFault(
        DeliveryStep.PARSING,
        "the event was not understood",
        "the receiver may be of another release: update all processes",
    ),
    Verdict.CONFLICT: DeliveryFault(
        DeliveryStep.INBOX,
        "the inbox holds another event with the same id",
        "test again: each test has new ids",
    ),
    Verdict.DUPLICATE: DeliveryFault(
        DeliveryStep.INBOX,
        "the receiver had this delivery already",
        "something in front of the ingress sends requests twice; that does no harm to issues",
    ),
    Verdict.PAUSED: DeliveryFault(
        DeliveryStep.INBOX, "it is stored and goes no further: the webhook was paused", "resume it"
    ),
}
