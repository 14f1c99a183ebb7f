"""How tools are classed: by what they are about, whether they change anything, and what may go wrong."""

from enum import StrEnum


class Category(StrEnum):
    """How users know the tools."""

    INCIDENTS = "incident-management"
    SERVICES = "services"
    ESCALATION = "escalation-policies"
    ON_CALL = "on-call-scheduling"
    USERS = "users"
    ANALYTICS = "analytics-and-reporting"
    CONTEXT = "context"


class Access(StrEnum):
    READ = "read"
    WRITE = "write"


class Risk(StrEnum):
    """Low: looking. Medium: changing an incident. High: creating one, changing policies or schedules."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
