"""The one registry of strategies, by name: who chooses, and what that needs.

::

    chosen = strategy("auto").choose(pool, budget_s=600, rng=np.random.default_rng(seed))

`STRATEGIES` are offered to people; `arms.RESEARCH` are the peers and ablations of a benchmark,
which the same lookup finds.
"""

from __future__ import annotations

from activeseg.errors import ProjectError
from activeseg.sampling.arms import RESEARCH
from activeseg.sampling.auto import auto
from activeseg.sampling.baselines import (
    by_whole_entropy,
    foreground_random,
    random_slices,
    volume_epistemic,
    worst_dice,
)
from activeseg.sampling.clasp import clasp
from activeseg.sampling.clue import clue
from activeseg.sampling.cscs import cscs
from activeseg.sampling.density import density
from activeseg.sampling.farthest import farthest_first
from activeseg.sampling.location import facility_location
from activeseg.sampling.one_shot import one_shot
from activeseg.sampling.packing import coverage, knapsack
from activeseg.sampling.per_minute import by_energy, by_uncertainty
from activeseg.sampling.probcover import probcover
from activeseg.sampling.representative import representative
from activeseg.sampling.sampler import Strategy
from activeseg.sampling.strided import strided_slices
from activeseg.sampling.typiclust import typiclust

__all__ = ["DEFAULT_STRATEGY", "STRATEGIES", "strategy"]

_READS = {"energy": ("energy",), "volume-epistemic": ("foreground_entropy",)}

STRATEGIES: dict[str, Strategy] = {
    name: Strategy(name, needs_model, needs_features, sampling, summary, reads=_READS.get(name, ()))
    for name, needs_model, needs_features, sampling, summary in (
        (
            "auto",
            True,
            False,
            auto,
            "expected gain per minute, the fullest slices first, and some by chance as a check",
        ),
        (
            "knapsack",
            True,
            False,
            knapsack,
            "the most expected gain that the minutes can buy, exactly",
        ),
        (
            "coverage",
            True,
            True,
            coverage,
            "expected gain, and slices that speak for the rest of the pool",
        ),
        (
            "clasp",
            True,
            False,
            clasp,
            "entropy per second, a share for each structure, less chance in every round",
        ),
        (
            "entropy-band",
            True,
            False,
            by_uncertainty,
            "uncertainty round the predicted edge per minute, neighbours count less",
        ),
        (
            "clue",
            True,
            True,
            clue,
            "of each kind of slice that the model is unsure of one, for scans of another kind",
        ),
        (
            "energy",
            True,
            False,
            by_energy,
            "how unlike the scans that the model learned from, per minute",
        ),
        (
            "one-shot",
            False,
            True,
            one_shot,
            "before any annotation: representative slices, spread over the volumes",
        ),
        *(
            (name, False, True, sampling, f"before any annotation: {summary}")
            for name, sampling, summary in (
                ("representative", representative, "what covers each kind of slice best"),
                (
                    "facility-location",
                    facility_location,
                    "what covers the pool best for the minutes, with a proven share",
                ),
                ("probcover", probcover, "slices that are near most others, far from each other"),
                ("farthest-first", farthest_first, "slices as unlike each other as can be"),
                ("density", density, "slices where they lie dense, no two neighbours"),
                ("cscs", cscs, "of each kind of slice one that is typical and rich in detail"),
                ("typiclust", typiclust, "of each kind of slice the most typical one"),
            )
        ),
        ("random", False, False, random_slices, "baseline: slices at random"),
        (
            "strided",
            False,
            False,
            strided_slices,
            "baseline: evenly over all volumes and positions",
        ),
        (
            "foreground-random",
            True,
            False,
            foreground_random,
            "baseline: at random, two thirds where a structure is expected",
        ),
        (
            "entropy-mean",
            True,
            False,
            by_whole_entropy,
            "baseline: highest mean entropy of the whole slice, whatever it costs",
        ),
        (
            "volume-epistemic",
            True,
            False,
            volume_epistemic,
            "baseline: whole volumes, where the model's own doubt is highest",
        ),
        (
            "worst-dice",
            True,
            False,
            worst_dice,
            "baseline: lowest expected Dice, whatever it costs",
        ),
    )
}

DEFAULT_STRATEGY = "auto"


def strategy(name: str) -> Strategy:
    """Look a strategy up by its name, also among the arms of a benchmark.

    Raises:
        ProjectError: If there is none of that name; the message lists those for people.
    """
    found = STRATEGIES.get(name) or RESEARCH.get(name)
    if found is None:
        raise ProjectError(f"no strategy {name!r}; choose one of {', '.join(STRATEGIES)}")
    return found
