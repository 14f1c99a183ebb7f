"""What a reader may see of a call: its arguments and result only with a right to its tool."""

from dataclasses import replace
from datetime import datetime

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.permissions import APPROVALS_WRITE, PERSONAL_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.tool_calls.authorization_service import personal_data_of
from calmo_pagerduty.tool_calls.model import CallState
from calmo_pagerduty.tool_calls.store import ToolCall
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.permissions import PrincipalRights, judge


def readable_call(tx: Transaction, reader: Principal, call: ToolCall, now: datetime) -> ToolCall:
    """Return the call, without its arguments, result and error if the reader may not use its tool.

    Who asked for a call and who decided on it read all of it, and so do approvers while it waits. Everybody
    else is judged as if they called the tool now.
    """
    if _may_read_all(tx, reader, call, now):
        return call
    # In other states the error is in our own words, and says which rule refused.
    error = None if call.state in {CallState.FAILED, CallState.UNKNOWN} else call.error
    return replace(call, arguments={}, result=None, error=error)


def _may_read_all(tx: Transaction, reader: Principal, call: ToolCall, now: datetime) -> bool:
    asked = api_keys.get_principal(tx, call.key_id, now)
    if reader.key_id == call.key_id or (asked is not None and reader.owner == asked.owner):
        return True
    if reader.is_person(call.approver):
        return True
    if personal_data_of(call) is not None and PERSONAL_READ not in reader.permissions:
        return False
    if call.state is CallState.WAITING and APPROVALS_WRITE in reader.permissions:
        return True
    tool = TOOLS.get(call.tool)
    connection = connections.get_connection(tx, reader.visibility, call.connection_id)
    if tool is None or connection is None:
        return False
    rights = PrincipalRights(reader.permissions, reader.teams)
    return judge(tool, rights, connection.rules, connection.facts).allowed
