"""Findings for an agent on this machine, by way of the REST API."""

from calmo_pagerduty.findings.service import FindingService
from tests.support.findings import a_gap, a_result
from tests.support.mcp_text import data_of, text_of
from tests.support.system import System
from tests.tool_calls.test_mcp_stdio import agent, names_of


async def test_the_agent_reads_findings_by_way_of_the_rest_api(service: System) -> None:
    gap = a_gap(title="Nobody \x1b[31mis there")
    await FindingService(service.database).record(service.connection_id, a_result(gap))
    reader = service.a_key("tools:read", "findings:read")
    async with agent(service, service.connection_id, reader) as client:
        names = await names_of(client)
        assert "list_findings" in names and "accept_finding" not in names
        listed = await client.call_tool("list_findings", {"state": ["new"], "limit": 5})
        [finding] = data_of(listed)["untrusted"]["findings"]
        assert finding["title"] == "Nobody [31mis there"
        shown = await client.call_tool("get_finding", {"id": finding["id"]})
        assert data_of(shown)["untrusted"]["history"][0]["kind"] == "found"
        refused = await client.call_tool("accept_finding", {"id": finding["id"]})
        wrong = await client.call_tool("list_findings", {"state": ["open"]})
    assert refused.is_error and "findings:write" in text_of(refused)
    assert wrong.is_error and "state" in text_of(wrong)
