"""One plain sentence for each slice that is asked for: why, what there is to do, how long."""

from __future__ import annotations

from activeseg.sampling.candidates import Candidate

__all__ = ["AUDIT", "reason"]

AUDIT = "drawn by chance and shown blank, to check the model's own estimate"

_TO_DO = {"draw": "draw", "correct": "correct", "confirm": "probably nothing to do"}
_LOOK = "look for what the proposal lacks"
_DOUBTED = 0.5
"""Below this expected Dice a proposal to be confirmed is one that may lack all there is."""


def reason(candidate: Candidate, seconds: float, why: str = "", audit: bool = False) -> str:
    """The sentence, e.g. ``expected Dice 0.61 (0.45 to 0.77); correct, about 0.7 min``.

    Args:
        candidate: The slice, with what the model says of it, if there is one.
        seconds: What the answer is expected to take in this batch.
        why: What the strategy has to add, e.g. `random`; may be empty.
        audit: Whether the slice is shown blank to check the estimate: what the model expects is
            then not told.
    """
    dice = candidate.expected_dice
    doubted = candidate.how == "confirm" and dice is not None and dice < _DOUBTED
    time = f"{_LOOK if doubted else _TO_DO[candidate.how]}, about {seconds / 60:.1f} min"
    facts = AUDIT if audit else ": ".join(part for part in (why, _expected(candidate)) if part)
    return f"{facts}; {time}" if facts else time


def _expected(candidate: Candidate) -> str:
    """What the model expects of its proposal, and what it is unsure of; empty without a model."""
    if candidate.expected_dice is None:
        return ""
    if candidate.dice_low == 1.0:  # only where there is nothing to judge
        return "no structure is expected here"
    found = f"expected Dice {candidate.expected_dice:.2f}"
    if candidate.dice_low is not None and candidate.dice_high is not None:
        found += f" ({candidate.dice_low:.2f} to {candidate.dice_high:.2f})"
    return f"{found}, {candidate.doubt}" if candidate.doubt else found
