"""Expected Dice of proposals, learned from what earlier proposals turned out to be.

Every estimate of a proposal's Dice without the truth (`EVIDENCE`) is right about the order and
wrong about the level. A Bayesian ridge regression combines them: its prior was fitted on the
hippocampus (docs/experiments.md) and works from the first batch; what was proposed and what was
accepted then moves it. From `ISOTONIC_FROM` judged proposals on, an isotonic regression of the
truth on the ridge's estimate takes out what a line cannot.

A slice that shows little of a structure is judged badly by every estimate and says little about
the volume, so half of the noise is taken to fall with the size of what is shown. Answers judge the
models of earlier rounds, on slices that were asked for because they looked bad: each counts as less
than one independent observation, less again beside others of its volume, and less again with each
round that has passed since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from activeseg.quality.estimates import Estimate, Volumes

__all__ = ["EVIDENCE", "DiceEstimator", "Judged", "proposed"]

Floats: TypeAlias = npt.NDArray[np.float64]

EVIDENCE = ("iou", "views", "neighbours", "fill", "soft", "pairwise", "sides", "trend")
"""Columns of evidence: MC IoU, agreement of the views, inter-slice Dice, share of the volume's
fullest slice, Soft Dice Confidence, MC pairwise Dice, deep-supervision Dice, and the Dice that
earlier rounds let expect (`activeseg.quality.trend`). NaN where there is none; `fill` is NaN just
where nothing is proposed, and the Dice of nothing is 0."""

_FILL = EVIDENCE.index("fill")


@dataclass(frozen=True)
class _Prior:
    """Typical evidence, its Dice, and what a deviation from it says of the Dice.

    The trend says nothing before rounds have shown that.
    """

    dice: float
    typical: tuple[float, ...]
    weights: tuple[float, ...]


# Where samples look in one of several planes each they agree less than in one plane.
_SEVERAL_VIEWS = _Prior(
    0.86,
    (0.41, 0.86, 0.88, 0.82, 0.83, 0.78, 0.79, 0.86),
    (0.00, 0.17, 0.26, 0.10, 0.25, 0.05, 0.06, 0.0),
)
_ONE_VIEW = _Prior(
    0.84,
    (0.66, 0.91, 0.83, 0.78, 0.89, 0.92, 0.89, 0.84),
    (0.20, 0.18, 0.16, 0.11, 0.11, 0.07, 0.06, 0.0),
)

_WEIGHT_SD = 0.15
_LEVEL_SD = 0.1
_NOISE_SD = 0.11
_NOISE_POINTS = 20.0
_SMALLEST, _LARGEST = 0.5, 2.5
_SIZELESS = 0.5
"""Sizes beyond these count as these; so much of the noise's variance no size takes away, and what
is left falls with its square."""

_WORTH, _ALIKE, _AGEING = 0.7, 0.7, 0.5
"""So much of an independent observation is a judged proposal, as those of a round err together; so
are the errors of a volume's proposals correlated; and so much is left of one a round later
(docs/experiments.md)."""

ISOTONIC_FROM = 100
_ISOTONIC_HALF = 300.0

_AUDIT_POINTS = 20.0

_SHARED = 0.1
_SHARED_PAIRS = 100.0
"""Share of the noise that the slices of one volume have in common, and the pairs it weighs."""

_SLICES_ALIKE = 2.0
"""Neighbouring slices err alike: as many of them count as one."""

UPPER = 0.95


@dataclass(frozen=True)
class Judged:
    """Proposals that were judged by an answer; one row a structure of a slice.

    Attributes:
        evidence: `[n, len(EVIDENCE)]`.
        size: `[n]`, how much of the structure is shown, 1 for its mean slice.
        volume: `[n]` names.
        dice: `[n]` Dice of the proposal with the answer.
        audit: `[n]` whether the slice was drawn by chance, to check the estimate.
        age: `[n]` how many rounds before the last judged one its model was trained.
    """

    evidence: Floats
    size: Floats
    volume: npt.NDArray[np.str_]
    dice: Floats
    audit: npt.NDArray[np.bool_]
    age: npt.NDArray[np.integer]


class DiceEstimator:
    """The regression; make one with `learn`.

    Attributes:
        judged: How many judged proposals it has learned from.
    """

    def __init__(
        self,
        typical: tuple[float, ...],
        mean: Floats,
        covariance: Floats,
        noise: float,
        freedom: float,
        shared: float,
    ) -> None:
        self._typical = typical
        self._mean = mean
        self._covariance = covariance
        self._noise = noise
        self._freedom = freedom
        self._shared = shared
        self._steps: tuple[Floats, Floats] | None = None
        self._trust = 0.0
        self.judged = 0

    @classmethod
    def learn(cls, judged: Judged, several_views: bool) -> DiceEstimator:
        """Combine the prior with the judged proposals, of which there may be none.

        Args:
            judged: Rows without a defined Dice (NaN) or without a proposal are left out.
            several_views: Whether the model looks at the volumes in more than one plane.
        """
        known = np.isfinite(judged.dice) & proposed(judged.evidence)
        begin = _SEVERAL_VIEWS if several_views else _ONE_VIEW
        x = _design(judged.evidence[known], begin.typical)
        y = judged.dice[known]
        fresh = _AGEING ** judged.age[known].astype(np.float64)
        alone = fresh / _variance(judged.size[known])
        weight = alone * _shares(judged.volume[known], fresh)
        prior = np.array([begin.dice, *begin.weights])
        deviation = np.array([_LEVEL_SD, *[_WEIGHT_SD] * len(EVIDENCE)]) / _NOISE_SD
        precision = np.diag(deviation**-2.0) + _WORTH * (x.T * weight) @ x
        covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
        mean = prior + _WORTH * covariance @ (x.T @ (weight * (y - x @ prior)))
        mean[0] += _audit_shift(y - x @ mean, alone, judged.audit[known])
        residual = np.sqrt(alone) * (y - x @ mean)
        freedom = _NOISE_POINTS + float(fresh.sum())
        noise = float((_NOISE_POINTS * _NOISE_SD**2 + residual @ residual) / freedom)
        shared = _shared_noise(residual / np.sqrt(noise), judged.volume[known])
        found = cls(begin.typical, mean, covariance, noise, freedom, shared)
        found.judged = len(y)
        if len(y) >= ISOTONIC_FROM:
            found._fit_steps(x @ mean, y, weight)
        return found

    def slices(self, evidence: Floats, size: Floats) -> Estimate:
        """Expected Dice of structures in slices, each by itself.

        Args:
            evidence: `[n, len(EVIDENCE)]`.
            size: `[n]`.
        """
        x = _design(evidence, self._typical)
        dice = self._level(x @ self._mean) * proposed(evidence)
        return self._interval(dice, self._spread(_variance(size), x))

    def volumes(self, evidence: Floats, size: Floats, group: npt.NDArray[np.integer]) -> Volumes:
        """What is known of one structure in whole volumes, from all slices of one plane.

        The Dice of a volume is the mean of its slices' Dice weighed by their sizes: exactly so,
        if size means predicted plus true area, of which the true one is expected here.

        Args:
            evidence: `[n, len(EVIDENCE)]`.
            size: `[n]`.
            group: `[n]` number of the volume, 0 to the largest without a gap.
        """
        x = _design(evidence, self._typical)
        part = size / np.bincount(group, weights=size)[group]
        level = self._level(x @ self._mean) * proposed(evidence)
        dice = np.asarray(np.bincount(group, weights=part * level), dtype=np.float64)
        mean_x = np.stack([np.bincount(group, weights=part * column) for column in x.T], axis=1)
        deviation = part * np.sqrt(_variance(size))
        own = np.bincount(group, weights=np.square(deviation)) * _SLICES_ALIKE
        common = np.square(np.bincount(group, weights=deviation))
        noise: Floats = self._shared * common + (1 - self._shared) * np.minimum(own, common)
        return Volumes(dice, noise, np.asarray(mean_x, dtype=np.float64))

    def whole(self, volumes: Volumes) -> Estimate:
        """Expected Dice of each volume."""
        return self._interval(volumes.dice, self._spread(volumes.noise, volumes.mean_x))

    def cohort(self, volumes: Volumes) -> Estimate:
        """The mean over the volumes of `whole`, an array of one.

        The volumes' own errors average out, those of the weights do not.
        """
        noise, mean_x = volumes.noise, volumes.mean_x
        spread = self._spread(noise.mean(keepdims=True) / len(noise), mean_x.mean(0, keepdims=True))
        return self._interval(volumes.dice.mean(keepdims=True), spread)

    def _spread(self, noise: Floats, x: Floats) -> Floats:
        of_weights = np.einsum("ij,ij->i", x @ self._covariance, x)
        spread: Floats = np.sqrt(self._noise * (noise + of_weights))
        return spread

    def _level(self, line: Floats) -> Floats:
        """The ridge's estimate, or part of the way from it to the isotonic one; within 0..1."""
        if self._steps is not None:
            line = (1 - self._trust) * line + self._trust * np.interp(line, *self._steps)
        return np.clip(line, 0.0, 1.0)

    def _fit_steps(self, line: Floats, y: Floats, weight: Floats) -> None:
        from sklearn.isotonic import IsotonicRegression

        steps = IsotonicRegression(y_min=0.0, y_max=1.0).fit(line, y, sample_weight=weight)
        self._steps = (
            np.asarray(steps.X_thresholds_, dtype=np.float64),
            np.asarray(steps.y_thresholds_, dtype=np.float64),
        )
        self._trust = len(y) / (len(y) + _ISOTONIC_HALF)

    def _interval(self, dice: Floats, spread: Floats) -> Estimate:
        return Estimate(dice, float(special.stdtrit(self._freedom, UPPER)) * spread)


def _design(evidence: Floats, typical: tuple[float, ...]) -> Floats:
    """1 and the deviations from typical evidence; what is not known does not deviate."""
    deviation = np.nan_to_num(evidence - np.array(typical), nan=0.0)
    return np.concatenate([np.ones((len(deviation), 1)), deviation], axis=1)


def proposed(evidence: Floats) -> npt.NDArray[np.bool_]:
    """Whether the structure is in the proposal, of evidence whose last axis is `EVIDENCE`'s."""
    found: npt.NDArray[np.bool_] = ~np.isnan(evidence[..., _FILL])
    return found


def _variance(size: Floats) -> Floats:
    """Variance of a structure's error in a slice, over that of its mean slice."""
    found: Floats = _SIZELESS + (1 - _SIZELESS) * np.clip(size, _SMALLEST, _LARGEST) ** -2.0
    return found


def _shares(volume: npt.NDArray[np.str_], fresh: Floats) -> Floats:
    """What each row counts for among those of its volume: n rows as n / (1 + (n - 1) `_ALIKE`).

    That is what n observations with one correlation are worth (the design effect of Kish 1965).
    Without it whoever answers one hard volume from end to end is told that all are as hard.
    """
    _, group = np.unique(volume, return_inverse=True)
    rows = np.bincount(group, weights=fresh)[group]
    found: Floats = 1 / (1 + _ALIKE * np.maximum(rows - 1, 0.0))
    return found


def _audit_shift(error: Floats, weight: Floats, audit: npt.NDArray[np.bool_]) -> float:
    """How far the level is off on the audit slices, drawn to 0.

    Slices that were asked for are those that looked worst; the audit slices are the unbiased
    ones, so the level is theirs as they become many.
    """
    total = float(weight[audit].sum())
    return float((weight * error)[audit].sum()) / (total + _AUDIT_POINTS)


def _shared_noise(residual: Floats, volume: npt.NDArray[np.str_]) -> float:
    """Correlation of the standardised residuals of two rows of one volume, drawn to the prior."""
    _, group = np.unique(volume, return_inverse=True)
    if not len(group):
        return _SHARED
    count = np.bincount(group)
    total, squares = np.bincount(group, residual), np.bincount(group, np.square(residual))
    pairs = float((count * (count - 1)).sum()) / 2
    products = float((np.square(total) - squares).sum()) / 2
    shared = (_SHARED * _SHARED_PAIRS + products) / (_SHARED_PAIRS + pairs)
    return min(max(shared, 0.05), 0.95)
