"""How tools are classed: by what they are about, whether they change anything, and what may go wrong."""

from enum import StrEnum


class Category(StrEnum):
    """The groups in which users see the tools."""

    INCIDENTS = "incident-management"
    SERVICES = "services"
    ESCALATION = "escalation-policies"
    ON_CALL = "on-call-scheduling"
    USERS = "users"
    ANALYTICS = "analytics-and-reporting"
    CONTEXT = "context"


class Access(StrEnum):
    """Whether a tool reads or changes. Reads are on by default, writes off."""

    READ = "read"
    WRITE = "write"


class Risk(StrEnum):
    """Low: reads. Medium: changes to an incident. High: new incidents, changes to policies, schedules or the
    service graph."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
