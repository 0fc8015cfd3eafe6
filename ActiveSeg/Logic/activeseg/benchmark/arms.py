"""The arms of a benchmark by name: who chooses, and how slices are scored for that."""

from __future__ import annotations

from dataclasses import dataclass, field

from activeseg.errors import ProjectError
from activeseg.project.scoring import Scoring
from activeseg.sampling import DEFAULT_STRATEGY, RESEARCH, STRATEGIES

__all__ = ["ARMS", "HEADLINE", "QUICK", "REFERENCE", "RIVALS", "Arm", "arm"]

REFERENCE = "activeseg"
"""The arm that the others are compared with: the default strategy."""

RIVALS = ("strided", "foreground-random", "clasp-pe")
"""The primary endpoint is against the best of these."""

HEADLINE = (REFERENCE, *RIVALS, "volume-epistemic")
QUICK = (REFERENCE, "foreground-random", "strided")


@dataclass(frozen=True)
class Arm:
    """One way of choosing, as a benchmark runs it.

    Attributes:
        name: Its name in the results.
        strategy: Name of the strategy (`activeseg.sampling.strategy`).
        scoring: How slices are scored; the samples decide what a strategy sees.
        proposals: Whether the clinician is shown what the model proposes.
        propagation: Whether slices say what holds for those beside them (`Recipe.propagation`).
    """

    name: str
    strategy: str
    scoring: Scoring = field(default_factory=Scoring)
    proposals: bool = True
    propagation: bool = True


_SPECIAL = (
    Arm(REFERENCE, DEFAULT_STRATEGY),
    # An ablation: the strategy expects corrections until the logged minutes have taught it.
    Arm(f"{REFERENCE}-no-proposals", DEFAULT_STRATEGY, proposals=False),
    Arm(f"{REFERENCE}-no-propagation", DEFAULT_STRATEGY, propagation=False),
    # ClaSP PE's mean is over 5 snapshots (the network and the members kept on its way), MONAI
    # Label's over 10 passes.
    Arm("clasp-pe", "clasp-pe", Scoring(samples="snapshots")),
    Arm("volume-epistemic", "volume-epistemic", Scoring(samples="full-dropout", passes=10)),
)

_NAMED = {each.name: each for each in _SPECIAL}

ARMS: dict[str, Arm] = _NAMED | {
    name: _NAMED.get(name, Arm(name, name)) for name in (*STRATEGIES, *RESEARCH)
}
"""Every strategy is an arm of its own name; a few are run in a way of their own."""


def arm(name: str) -> Arm:
    """Look an arm up by its name.

    Raises:
        ProjectError: If there is none of that name; the message lists those there are.
    """
    if name not in ARMS:
        raise ProjectError(f"no arm '{name}'; choose from {', '.join(ARMS)}")
    return ARMS[name]
