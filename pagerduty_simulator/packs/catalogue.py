"""All packs by name."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol

from pagerduty_simulator.packs.cascade import cascade
from pagerduty_simulator.packs.company import CompanySize
from pagerduty_simulator.packs.cyclic import cyclic
from pagerduty_simulator.packs.flapping_disk import flapping_disk
from pagerduty_simulator.packs.fresh import fresh
from pagerduty_simulator.packs.misrouted import misrouted
from pagerduty_simulator.packs.truth import PackWorld
from pagerduty_simulator.references import Site


class Pack(Protocol):
    """Makes a world; the same seed and time give the same world."""

    def __call__(
        self,
        *,
        now: Callable[[], datetime],
        seed: object,
        placebo: bool = False,
        shape: CompanySize | None = None,
        site: Site | None = None,
    ) -> PackWorld:
        """Return the world; the placebo lacks the planted cause or fault."""
        ...


PACKS: Final[Mapping[str, Pack]] = MappingProxyType(
    {
        "cascade": cascade,
        "flapping": flapping_disk,
        "misrouted": misrouted,
        "cycles": cyclic,
        "fresh": fresh,
    }
)
