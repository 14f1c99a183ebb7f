"""Diagnoses why a captured delivery doesn't verify, by trying to undo known alterations."""

import json
from collections.abc import Callable, Sequence

from calmo_pagerduty.deliveries.model import SignatureVerdict
from calmo_pagerduty.deliveries.webhook_signature import verify
from calmo_pagerduty.pagerduty.webhook_events import is_legacy
from calmo_pagerduty.webhooks.validation import OUTCOME_OF_SIGNATURE, ValidationOutcome, ValidationResult

Secrets = Sequence[tuple[int, bytes]]


def _reserialised(separators: tuple[str, str], ascii_only: bool) -> Callable[[bytes], bytes]:
    def rewrite(body: bytes) -> bytes:
        return json.dumps(json.loads(body), separators=separators, ensure_ascii=ascii_only).encode()

    return rewrite


#: Alterations of a body on its way: (description, function that undoes it).
_ALTERATIONS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("white space was added around it", lambda body: body.strip()),
    ("the line break at its end was taken away", lambda body: body + b"\n"),
    ("its line breaks were changed", lambda body: body.replace(b"\r\n", b"\n")),
    ("its line breaks were changed", lambda body: body.replace(b"\n", b"\r\n")),
    ("a byte-order mark was put in front", lambda body: body.removeprefix(b"\xef\xbb\xbf")),
    ("its JSON was written again", _reserialised((",", ":"), False)),
    ("its JSON was written again", _reserialised((",", ":"), True)),
    ("its JSON was written again", _reserialised((", ", ": "), False)),
    ("its JSON was written again", _reserialised((", ", ": "), True)),
)


def diagnose(body: bytes, header: bytes | None, secrets: Secrets) -> ValidationResult:
    """Return whether a captured delivery verifies with the webhook's live secrets, and if not, why."""
    if not secrets:
        return ValidationResult(ValidationOutcome.NO_SECRET)
    verdict, _ = verify(body, header, secrets)
    if header is None or verdict in (SignatureVerdict.MATCH, SignatureVerdict.MISSING):
        legacy = verdict is SignatureVerdict.MISSING and is_legacy(body)
        return ValidationResult(ValidationOutcome.OLD_GENERATION if legacy else OUTCOME_OF_SIGNATURE[verdict])
    if verify(body, header.strip().strip(b"\"'").lower(), secrets)[0] is SignatureVerdict.MATCH:
        return ValidationResult(ValidationOutcome.SIGNATURE_ALTERED)
    alteration = next((name for name, undo in _ALTERATIONS if _verifies(undo, body, header, secrets)), None)
    if alteration is not None:
        return ValidationResult(ValidationOutcome.BODY_ALTERED, note=alteration)
    return ValidationResult(OUTCOME_OF_SIGNATURE[verdict])


def _verifies(undo: Callable[[bytes], bytes], body: bytes, header: bytes, secrets: Secrets) -> bool:
    try:
        return verify(undo(body), header, secrets)[0] is SignatureVerdict.MATCH
    except (ValueError, RecursionError):
        return False
