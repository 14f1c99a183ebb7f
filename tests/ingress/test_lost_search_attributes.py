"""Temporal's database was made anew: it knows none of our search attributes any more."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from calmo_pagerduty.deliveries.store import PendingDelivery
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.processes import free_port
from calmo_pagerduty.temporal.client import DATA_CONVERTER, runtime
from calmo_pagerduty.temporal.dev_server import TemporalDevServer
from ingress.forwarding.incident_starter import IncidentStarter
from ingress.forwarding.signal_sender import SignalSender
from tests.support.eventually import eventually


async def test_a_signal_that_fails_for_them_adds_them_and_passes_when_it_is_sent_again(
    tmp_path: Path,
) -> None:
    server = TemporalDevServer(log_file=tmp_path / "temporal.log", port=free_port(), search_attributes=())
    await server.start()
    try:
        client = await Client.connect(server.address, data_converter=DATA_CONVERTER, runtime=runtime())
        starter = IncidentStarter("incidents", timedelta(days=1), 1000, gathers_context=False)
        ref = IncidentRef(connection_id="con_one", incident_id="PINC1")
        batch = [PendingDelivery(1, ref, "organization:acme", {}, "{}", attempts=0)]
        sender = SignalSender(client, starter)
        with pytest.raises(RPCError, match="search attribute"):
            await sender.send(batch)

        async def is_sent() -> bool:
            """Temporal takes a moment to use them."""
            with suppress(RPCError):
                await sender.send(batch)
                return True
            return False

        await eventually(is_sent)
        await client.get_workflow_handle(ref.workflow_id).describe()
    finally:
        await server.kill()
