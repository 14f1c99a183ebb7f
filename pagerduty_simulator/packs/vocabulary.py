"""Names of people and services, and texts of typical incidents and changes."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of incident of a service; `#` stands for a number, `@` for a host.

    `heals_itself` is the share of incidents that resolve themselves.
    """

    title: str
    check: str
    resolution: str
    heals_itself: float = 0.1
    urgency: str = "high"


PEOPLE: Final = (
    ("Ana Ferreira", "America/Sao_Paulo"),
    ("Ben Okoye", "Africa/Lagos"),
    ("Chiara Greco", "Europe/Rome"),
    ("David Lindholm", "Europe/Stockholm"),
    ("Emi Sato", "Asia/Tokyo"),
    ("Farid Rahmani", "Europe/Berlin"),
    ("Grace Whitfield", "America/New_York"),
    ("Hana Novak", "Europe/Prague"),
    ("Ivo Marin", "America/Los_Angeles"),
    ("Julia Sommer", "Europe/Berlin"),
    ("Kiran Patel", "Asia/Kolkata"),
    ("Liam Doherty", "Europe/Dublin"),
    ("Mira Cohen", "America/New_York"),
    ("Nils Aasen", "Europe/Oslo"),
    ("Olga Petrova", "Europe/Warsaw"),
    ("Pedro Alvarez", "America/Mexico_City"),
    ("Quinn Marlow", "Australia/Sydney"),
    ("Rosa Jimenez", "Europe/Madrid"),
)

# From the bottom up: services of a tier depend on lower tiers.
TIERS: Final = (
    ("orders database", "accounts database", "event log", "object store"),
    ("stock service", "price service", "identity service", "search index", "mail sender"),
    ("basket API", "checkout API", "catalogue API", "payment gateway", "delivery API"),
    ("shop web", "mobile backend", "partner portal", "edge proxies"),
)

BUSINESS: Final = ("Ordering", "Browsing", "Customer accounts")

_STORE: Final = (
    Trouble("replication lag # s on @", "replication_lag", "Rebuilt the replica from last night's copy."),
    Trouble(
        "connections exhausted on @", "connections", "Raised the pool's limit; idle clients are cut now."
    ),
    Trouble("disk # % full on @", "disk_usage", "Old segments deleted, volume grown by 200 GB.", 0.3, "low"),
    Trouble("slow queries: p99 # ms", "slow_queries", "Added the missing index and killed the report."),
)
_SERVICE: Final = (
    Trouble("error rate # per minute", "error_rate", "Rolled back to the release before."),
    Trouble("latency p95 # ms on @", "latency", "Restarted @; garbage collection had stalled.", 0.2),
    Trouble("queue holds # messages", "queue_depth", "Consumer was stuck on one message; moved it aside."),
    Trouble("memory # % on @", "memory", "Leak in the session cache; restarted, ticket filed.", 0.3, "low"),
)
_FRONT: Final = (
    Trouble(
        "synthetic check failing in region #", "synthetic", "Route withdrawn by the provider; moved.", 0.4
    ),
    Trouble("5xx share # % at the edge", "edge_errors", "Bad upstream taken out of rotation."),
    Trouble("page load # ms for customers", "page_load", "Image sizes fixed in the content system.", 0.2),
    Trouble(
        "certificate expires in # days", "certificate", "Renewed; the DNS check had timed out.", 0.0, "low"
    ),
)

#: The kinds of incidents in each tier.
TROUBLES: Final = (_STORE, _SERVICE, _SERVICE, _FRONT)

CHANGES: Final = (
    "Release #: dependency upgrades",
    "Release #: retry budget for clients",
    "Configuration: pool sizes of @",
    "Feature flag # on for half of the customers",
    "Scaled to # instances",
    "Schema migration #",
)
