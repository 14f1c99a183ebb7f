"""Connects to Temporal: the embedded server, a cluster, or Temporal Cloud.

The address, namespace, TLS and API key come from Temporal's own environment configuration
(TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_TLS_…, TEMPORAL_API_KEY, TEMPORAL_PROFILE, …).
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)
from temporalio.envconfig import ClientConfig
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import GrpcCompression, RetryConfig, RPCError, RPCStatusCode

from calmo_pagerduty.kernel.explained_error import ExplainedError

logger = logging.getLogger(__name__)

DEFAULT_ADDRESS = "127.0.0.1:7233"

#: For the forwarder, whose calls fail soon: it retries them itself, in order.
FAST_FAILING_RETRY = RetryConfig(max_elapsed_time_millis=1500, max_retries=3)

_ALREADY_ADDED_CODES = (RPCStatusCode.ALREADY_EXISTS, RPCStatusCode.INVALID_ARGUMENT)


_pydantic_json = PydanticJSONPlainPayloadConverter()


class _SharedPydanticConverter(CompositePayloadConverter):
    """Pydantic's converter, shared. The SDK makes a converter for each workflow, and each one would build
    pydantic's schemas of our types again.
    """

    def __init__(self) -> None:
        super().__init__(
            *(
                _pydantic_json if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


#: Converts values to JSON for Temporal. Replays of histories need the same converter.
DATA_CONVERTER = DataConverter(payload_converter_class=_SharedPydanticConverter)


class MissingSearchAttributes(ExplainedError):
    """The namespace lacks search attributes that can't be added. The message names them."""


class MetricsNotServed(ExplainedError):
    """The metrics can't be served at the address that the settings name."""


@cache
def runtime(metrics_address: str | None = None) -> Runtime:
    """Return the process's only runtime. It sends Core's log, by default on stdout, to our logs.

    At `metrics_address`, HOST:PORT, it serves the metrics of the SDK and of workflows.
    Raises MetricsNotServed.
    """
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    levels = TelemetryFilter(core_level="WARN", other_level="ERROR")
    metrics = PrometheusConfig(bind_address=metrics_address) if metrics_address else None
    try:
        return Runtime(
            telemetry=TelemetryConfig(
                logging=LoggingConfig(levels, forwarding=forwarding),
                metrics=metrics,
                # Several processes of one machine must be told apart by their addresses alone.
                attach_service_name=False,
            )
        )
    except ValueError as error:
        raise MetricsNotServed(f"CALMO_WORKER_METRICS={metrics_address}: {error}") from None


def connection_options() -> dict[str, Any]:
    """Return the client options from Temporal's environment configuration. Default: the local server."""
    return {"target_host": DEFAULT_ADDRESS, **ClientConfig.load_client_connect_config()}


async def connect(
    search_attributes: Sequence[SearchAttributeKey[Any]],
    retry: RetryConfig | None = None,
    metrics_address: str | None = None,
) -> Client:
    """Connect, retrying without a time limit, and add missing search attributes.

    Raises MissingSearchAttributes if the namespace can't hold them, MetricsNotServed.
    """
    options = {**connection_options(), "runtime": runtime(metrics_address)}
    local = options["target_host"].startswith(("127.0.0.1:", "localhost:"))
    delay = 0.1
    while True:
        try:
            client = await Client.connect(
                **options,
                data_converter=DATA_CONVERTER,
                retry_config=retry,
                grpc_compression=GrpcCompression.NONE if local else GrpcCompression.GZIP,
            )
            await ensure_search_attributes(client, search_attributes)
            return client
        except (RuntimeError, RPCError) as error:
            logger.warning(
                "temporal_unreachable",
                extra={"address": options["target_host"], "error": str(error).splitlines()[0]},
            )
        await asyncio.sleep(delay)
        delay = min(delay * 2, 5.0)


async def ensure_search_attributes(client: Client, required: Sequence[SearchAttributeKey[Any]]) -> None:
    """Add the search attributes that the namespace lacks, and check: a full server silently adds nothing.

    Raises MissingSearchAttributes, RPCError.
    """
    missing = await _missing(client, required)
    if not missing:
        return
    request = AddSearchAttributesRequest(namespace=client.namespace)
    for key in missing:
        request.search_attributes[key.name] = _type_of(key)
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as error:
        # Another process may have added them meanwhile: the check below shows it.
        if error.status not in _ALREADY_ADDED_CODES:
            raise
    for _ in range(20):
        if not (missing := await _missing(client, required)):
            return
        await asyncio.sleep(0.1)
    raise MissingSearchAttributes(
        f"the namespace {client.namespace!r} lacks the search attributes "
        f"{', '.join(key.name for key in missing)} and can't add them; "
        "it may hold too many of that type already"
    )


async def set_retention(client: Client, retention: timedelta) -> None:
    """Set how long closed workflows are retained. The dev server's default of a day is too short."""
    config = NamespaceConfig()
    config.workflow_execution_retention_ttl.FromTimedelta(retention)
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(namespace=client.namespace, config=config)
    )


async def _missing(
    client: Client, required: Sequence[SearchAttributeKey[Any]]
) -> list[SearchAttributeKey[Any]]:
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    present = dict(listed.custom_attributes)
    return [key for key in required if present.get(key.name) != _type_of(key)]


def _type_of(key: SearchAttributeKey[Any]) -> IndexedValueType.ValueType:
    return IndexedValueType.ValueType(key.indexed_value_type)
