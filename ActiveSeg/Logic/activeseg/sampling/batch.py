"""The accounting that every sampler shares: seconds, budget, order of the answers."""

from __future__ import annotations

from dataclasses import dataclass

from activeseg.sampling.candidates import Candidate, Choice

__all__ = ["Batch"]


@dataclass(frozen=True)
class _Pick:
    candidate: Candidate
    value: float
    why: str
    value_per_second: float


class Batch:
    """A batch under construction: what is in it, and what is left of the budget.

    Args:
        budget_s: Seconds that it may cost in all.
        first_slice_s: Overhead of the first slice of each volume.
    """

    def __init__(self, budget_s: float, first_slice_s: float) -> None:
        self._first_slice_s = first_slice_s
        self._picks: dict[str, list[_Pick]] = {}
        self.left_s = budget_s

    def opens(self, volume: str) -> float:
        """Seconds that the volume's next slice costs on top: the overhead or nothing."""
        return 0.0 if volume in self._picks else self._first_slice_s

    def take(self, candidate: Candidate, value: float, why: str) -> bool:
        """Put a slice into the batch if it fits.

        Args:
            candidate: A slice that is not in the batch yet.
            value: What it is ranked by.
            why: The reason, without how and how long.

        Returns:
            Whether it fitted.
        """
        volume = candidate.key.volume
        seconds = candidate.seconds + self.opens(volume)
        if seconds > self.left_s:
            return False
        self.left_s -= seconds
        pick = _Pick(candidate, value, why, value / seconds)
        self._picks.setdefault(volume, []).append(pick)
        return True

    def choices(self) -> list[Choice]:
        """The batch in the order of answering.

        Slices of one volume follow each other, as they were taken; the volume with the best
        value per second comes first (as they were opened, where those are equal). The first
        slice of each volume carries the overhead.
        """
        volumes = sorted(
            self._picks.values(), key=lambda picks: -max(p.value_per_second for p in picks)
        )
        found = []
        for picks in volumes:
            for position, pick in enumerate(picks):
                seconds = pick.candidate.seconds + (0.0 if position else self._first_slice_s)
                reason = f"{pick.why}; {pick.candidate.how}, about {seconds / 60:.1f} min"
                found.append(Choice(pick.candidate, seconds, reason, pick.value))
        return found
