"""What stands between a call and its service, one guard a service (docs/upstreams.md)."""

from bff.upstreams.guard.effects import Effects
from bff.upstreams.guard.guard import Guard, Guards
from bff.upstreams.guard.verdict import Verdict

__all__ = ["Effects", "Guard", "Guards", "Verdict"]
