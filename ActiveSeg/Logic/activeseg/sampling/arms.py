"""Arms of a benchmark that nobody is offered: rules of others, and the default less its parts.

Of the arms that METHODS names, `random`, `strided`, `foreground-random`, `entropy-mean`,
`volume-epistemic`, `worst-dice` and `typiclust` are strategies for people too
(`strategies.STRATEGIES`), and CoreSet is offered to them as `farthest-first`.

Two ablations are no choice of slices and so have no name here, but in `activeseg.benchmark.arms`.
Without *propagation* the network learns from the annotated slices alone: that is a matter of the
training recipe. Without *proposals* every slice is drawn from nothing: that is a matter of what a
benchmark's simulated clinician is shown.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from activeseg.sampling.auto import WHOLE, auto
from activeseg.sampling.clasp import clasp_pe
from activeseg.sampling.diverse import badge
from activeseg.sampling.farthest import farthest_first
from activeseg.sampling.peers import atzeni, bald, kuo, oracle_foreground
from activeseg.sampling.random_groups import stochastic_batches
from activeseg.sampling.sampler import Sampler, Strategy

__all__ = ["RESEARCH"]


def _peer(
    name: str,
    sampling: Sampler,
    summary: str,
    *,
    features: bool = False,
    reads: tuple[str, ...] = (),
) -> Strategy:
    return Strategy(name, True, features, sampling, summary, reads=reads)


def _truth(percent: int) -> Strategy:
    return Strategy(
        f"oracle-foreground-{percent}",
        False,
        False,
        partial(oracle_foreground, share=percent / 100),
        f"at random, {percent} % where the truth shows a structure",
        needs_truth=True,
    )


def _less(part: str, summary: str) -> Strategy:
    return _peer(f"auto-no-{part}", partial(auto, parts=replace(WHOLE, **{part: False})), summary)


_ARMS = (
    _truth(33),
    _truth(66),
    _peer("bald", bald, "highest mean BALD of the whole slice"),
    Strategy("coreset", False, True, farthest_first, "farthest from what is annotated"),
    _peer(
        "badge",
        badge,
        "k-means++ on the last layer's gradients",
        features=True,
        reads=("gradient",),
    ),
    _peer("stochastic-batches", stochastic_batches, "the most uncertain of random batches"),
    _peer(
        "kuo",
        kuo,
        "a knapsack of the most uncertain patches and the minutes",
        reads=("top_patches",),
    ),
    _peer(
        "atzeni",
        atzeni,
        "expected gain of Dice for each millimetre of contour",
        reads=("contour_mm",),
    ),
    _peer("clasp-pe", clasp_pe, "ClaSP PE as published, without cost"),
    _less("cost", "auto that ranks by value, not by value per second"),
    _less("coverage", "auto that ranks by gain alone, wherever slices lie"),
    _less("quota", "auto without shares for the structures"),
    _less("noise", "auto that takes the best slices, not drawn ones"),
    _less("visits", "auto that asks for slices one by one, whatever volume is open"),
    _less("empties", "auto that asks for no look where nothing is expected"),
    _less("audits", "auto that draws no slices by chance to check the estimate"),
    replace(
        _peer("auto-no-calibration", auto, "auto by what is expected before any answer"),
        calibrated=False,
    ),
)

RESEARCH: dict[str, Strategy] = {each.name: each for each in _ARMS}
"""By name, as `benchmark --arms` writes them."""
