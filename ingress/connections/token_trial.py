"""Tries a token before a connection keeps it, so that a bad one never replaces a good one."""

from datetime import UTC, datetime

from pydantic import SecretStr

from calmo_pagerduty.connections.connection_check import OK, parse_probe, probe_connection
from calmo_pagerduty.connections.service import PagerDutyClients
from calmo_pagerduty.pagerduty.errors import InvalidRequest, PagerDutyError
from calmo_pagerduty.pagerduty.token_kinds import Region, TokenKind
from calmo_pagerduty.pagerduty.tokens import TokenInfo
from ingress.api.errors import PagerDutySilent, TokenRefused

_UNTESTED = "nothing was changed; to keep it untested: --untested, over REST `untested`"


async def try_token(
    accounts: PagerDutyClients, region: Region, kind: TokenKind, token: SecretStr
) -> TokenInfo:
    """Return what PagerDuty tells of the token, by reads only.

    Raises TokenRefused if PagerDuty rejects it, PagerDutySilent if PagerDuty can't be asked.
    """
    verdict, facts, trouble = await _probe(accounts, region, kind, token)
    if verdict == OK:
        return facts
    if verdict != "rejected":
        raise PagerDutySilent(f"the token can't be tested: {trouble}; {_UNTESTED}")
    for other in (Region.US, Region.EU):
        if region in {other, Region.SIMULATOR}:
            continue
        if (await _probe(accounts, other, kind, token))[0] == OK:
            raise TokenRefused(
                f"the token belongs to the region {other}, not to {region}; nothing was changed"
            )
    raise TokenRefused(f"PagerDuty rejects the token: {trouble}; {_UNTESTED}")


async def _probe(
    accounts: PagerDutyClients, region: Region, kind: TokenKind, token: SecretStr
) -> tuple[str, TokenInfo, str]:
    """Return the verdict, the facts and what went wrong."""
    try:
        client = accounts.trial_client(region, kind, token)
        probe = parse_probe(await client.run(probe_connection()), None, datetime.now(UTC))
    except InvalidRequest as error:
        raise TokenRefused(f"{error}; {_UNTESTED}") from error
    except PagerDutyError as error:
        return "unreachable", TokenInfo(), str(error)
    return probe.verdict, probe.facts, probe.trouble
