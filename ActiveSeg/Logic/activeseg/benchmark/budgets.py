"""How many minutes the batches of a benchmark get where nobody says."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["QUICK_SHARES", "SHARES", "default_minutes"]

SHARES = (0.004, 0.008, 0.013, 0.020, 0.035, 0.055)
"""Of the pool's full minutes, batch by batch; six batches end at 13.5 %, so that those who need
twice as long as others for the last goal (M98) are still seen to reach it (docs/benchmark.md)."""

QUICK_SHARES = (0.02, 0.02, 0.04, 0.08)
"""The same for the small pool of a first look: what a model needs does not shrink with the pool."""

LEAST_MINUTES = 2.0
"""Below that a batch holds next to nothing."""


def default_minutes(
    full_minutes: float, batches: int, shares: Sequence[float]
) -> tuple[float, ...]:
    """The budget of each batch in tenths of a minute; the last share goes on for further ones.

    Args:
        full_minutes: Minutes of drawing every slice of the pool.
        batches: How many.
        shares: Of the full minutes.
    """
    wanted = [shares[min(number, len(shares) - 1)] for number in range(batches)]
    return tuple(max(LEAST_MINUTES, round(share * full_minutes, 1)) for share in wanted)
