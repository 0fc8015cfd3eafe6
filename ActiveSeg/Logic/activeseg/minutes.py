"""Seconds that a person needs for an answer, learned from the seconds that were logged.

`activeseg.cost` says what an answer would cost a standard clinician if the model were right about
its own errors. People are slower or faster, and models miss errors that their samples do not
show, so the logarithm of the logged seconds is regressed (Kuo et al. 2018: a line in the logs of
contour and components, which the standard seconds already hold) as

    log T = log(standard seconds) + weights . features + author + noise

A weight of 0 is the prior, so nothing changes before anything is logged. Weights, the authors'
intercepts and the noise have one conjugate normal-inverse-gamma prior: the posterior is exact
and a prediction is a Student t in log seconds. Authors share the weights; each has an intercept
of its own, so that another author's speed moves a new author half of the way and a known author
hardly at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from activeseg.cost import STANDARD, Answer

__all__ = ["LEAST_S", "Minutes", "MinutesModel", "Work"]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Flags: TypeAlias = npt.NDArray[np.bool_]

# Prior standard deviations of the weights, in the order of `_features`. The intercept that all
# share and that of an author together are log 2: authors differ by a factor of two.
AUTHOR_SD = math.log(2.0) / math.sqrt(2.0)
WEIGHT_SD = (AUTHOR_SD, 0.3, 0.3, 0.3, 0.5, 0.5)

NOISE_SD = 0.35
"""Prior of the noise in log seconds: 20 % of a person, the rest what the features cannot say."""

LEAST_S = 3.0
"""Seconds within which nobody looks at a slice and accepts it."""

NOISE_ANSWERS = 8.0
"""How many answers that prior weighs."""

IDLE_FACTOR = 3.0
IDLE_ANSWERS = 5
WIDEST_FACTOR = 4.0
"""Until an author's median is known, nothing beyond this factor of the standard is believed."""

_AT_ONCE = 1 << 18
"""Answers whose features are in memory together."""

UPPER = 0.95
"""Quantile of the upper bound; the lower mirrors it, which leaves 90 % between."""


@dataclass(frozen=True)
class Work:
    """What is known of answers before they are given; one row an answer, all arrays `[n]`.

    Attributes:
        prior_s: Seconds of the standard clinician: overhead, with that of the first slice where
            `first`, and the cheaper of drawing and correcting; above 0.
        contour_mm: Length of the predicted contours, all structures together.
        drawn: Whether the canvas is blank or drawing anew is expected to be cheaper.
        first: Whether it is the first slice of its volume in the batch.
        expected_dice: Expected Dice of the proposal; NaN before a model.

    Raises:
        ValueError: If the columns differ in length or a number is out of its range.
    """

    prior_s: Floats
    contour_mm: Floats
    drawn: Flags
    first: Flags
    expected_dice: Floats

    def __post_init__(self) -> None:
        shapes = {getattr(self, field.name).shape for field in fields(self)}
        if shapes != {(len(self),)}:
            raise ValueError(f"columns of shapes {sorted(shapes)}; expected one length")
        if not (np.isfinite(self.prior_s) & (self.prior_s > 0)).all():
            raise ValueError("prior_s must be finite and above 0")
        if not (np.isfinite(self.contour_mm) & (self.contour_mm >= 0)).all():
            raise ValueError("contour_mm must be finite and not negative")
        if ((self.expected_dice < 0) | (self.expected_dice > 1)).any():
            raise ValueError("expected_dice must be within 0..1, or NaN")

    def __len__(self) -> int:
        return len(self.prior_s)

    @classmethod
    def of_answers(
        cls, answers: Sequence[Answer], first: Sequence[bool], expected_dice: Sequence[float | None]
    ) -> Work:
        """From expected answers of the STANDARD clinician without the first-slice overhead.

        Args:
            answers: `[n]` of `activeseg.cost.expected_answers` or `prior_answer`.
            first: `[n]`, whether each is the first slice of its volume in the batch.
            expected_dice: `[n]`; None before a model.
        """
        work = cls(
            np.array([answer.seconds for answer in answers], dtype=np.float64),
            np.array([answer.contour_mm for answer in answers], dtype=np.float64),
            np.array([answer.drawn for answer in answers], dtype=bool),
            np.zeros(len(answers), dtype=bool),
            np.array(expected_dice, dtype=np.float64),  # None becomes NaN
        )
        return work.as_first(np.array(first, dtype=bool))

    def as_first(self, first: Flags) -> Work:
        """The same slices if they were the first of their volume, or not, as `first` `[n]` says.

        The first-slice overhead in `prior_s` follows.
        """
        change = first.astype(np.float64) - self.first
        return replace(self, prior_s=self.prior_s + STANDARD.first_slice_s * change, first=first)

    def part(self, rows: slice | npt.NDArray[np.intp]) -> Work:
        """Some rows of it, in double precision."""
        columns = (getattr(self, field.name)[rows] for field in fields(self))
        return Work(
            *(each.astype(np.float64) if each.dtype.kind == "f" else each for each in columns)
        )

    def row(self, k: int) -> dict[str, Any]:
        """Row `k` as JSON can hold it: numbers, truth values, None for NaN."""
        values = {field.name: getattr(self, field.name)[k].item() for field in fields(self)}
        if math.isnan(values["expected_dice"]):
            values["expected_dice"] = None
        return values

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Any]]) -> Work:
        """Join what `row` gave.

        Raises:
            KeyError, TypeError, ValueError: If a row is damaged.
        """
        kinds = {"drawn": bool, "first": bool}
        return cls(
            **{
                name: np.array([row[name] for row in rows], dtype=kinds.get(name, np.float64))
                for name in (field.name for field in fields(cls))
            }
        )


@dataclass(frozen=True)
class Minutes:
    """Predicted seconds of answers, all arrays `[n]`.

    Attributes:
        seconds: Posterior median.
        low: Lower end of the 90 % interval.
        high: Upper end.
    """

    seconds: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class MinutesModel:
    """Posterior of the time that one author needs.

    Attributes:
        mean: `[7]` posterior means of the weights and, last, of the author's intercept.
        spread: `[7, 7]` their covariance in units of the noise's variance.
        noise: Scale of the noise in log seconds.
        freedom: Degrees of freedom of the Student t.
    """

    mean: Floats
    spread: Floats
    noise: float
    freedom: float

    @classmethod
    def fit(
        cls,
        work: Work,
        logged_seconds: npt.ArrayLike,
        authors: Sequence[str],
        author: str | None,
    ) -> MinutesModel:
        """Learn from what all authors logged, for one of them.

        Answers without a time (not finite, or not above 0: nobody measured) are left out.
        Seconds beyond 3 times the author's median, in units of the standard seconds, count as
        idle and are cut to that; likewise a third of it from below, a slip of the hand. A median
        of less than 5 answers would be an outlier itself, so until then what is more than 4
        times slower or faster than the standard is cut to that.

        Args:
            work: `[n]` what was known before each answer.
            logged_seconds: `[n]` seconds.
            authors: `[n]` who answered.
            author: Whose time is to be predicted; None, or somebody who logged nothing, is a new
                author: a wide prior round what the others need.

        Raises:
            ValueError: If the lengths differ.
        """
        seconds = np.asarray(logged_seconds, dtype=np.float64)
        names = np.array(authors, dtype=np.str_)
        if not seconds.shape == names.shape == work.prior_s.shape:
            raise ValueError(
                f"{len(work)} answers, {seconds.size} times and {names.size} authors; "
                "expected one length"
            )
        timed = np.isfinite(seconds) & (seconds > 0)
        names = names[timed]
        y = _without_idle(np.log(seconds[timed] / work.prior_s[timed]), names)
        # Column 0 is the author asked for, with no answer in it where that is a new one.
        columns = [author, *sorted(set(names.tolist()) - {author})]
        own = np.array([[name == column for column in columns] for name in names.tolist()])
        own = own.reshape(-1, len(columns))
        design = np.concatenate([_features(work)[timed], own], axis=1)
        kept = len(WEIGHT_SD) + 1
        sd = np.concatenate([WEIGHT_SD, np.full(own.shape[1], AUTHOR_SD)])
        precision = np.diag((NOISE_SD / sd) ** 2) + design.T @ design
        spread = np.linalg.inv(precision)
        mean = spread @ (design.T @ y)
        freedom = NOISE_ANSWERS + len(y)
        # y'y - m'Pm, written as a sum of squares so that rounding cannot make it negative.
        left = np.sum((y - design @ mean) ** 2) + np.sum((NOISE_SD / sd * mean) ** 2)
        noise = math.sqrt((NOISE_ANSWERS * NOISE_SD**2 + float(left)) / freedom)
        return cls(mean[:kept], spread[:kept, :kept], noise, freedom)

    def predict(self, work: Work) -> Minutes:
        """Median and 90 % interval of the seconds of one answer each, by this author.

        The median is never below `LEAST_S`: a line through few quick answers would promise
        hundreds of slices in a minute.
        """
        x = _with_author(work)
        centre = np.log(work.prior_s) + x @ self.mean
        scale = self.noise * np.sqrt(1 + np.sum((x @ self.spread) * x, axis=1))
        reach = float(special.stdtrit(self.freedom, UPPER)) * scale
        seconds = self.seconds(work)
        return Minutes(seconds, np.exp(centre - reach), np.maximum(np.exp(centre + reach), seconds))

    def seconds(self, work: Work) -> npt.NDArray[np.float64]:
        """The medians of `predict` alone, of any number of answers."""
        found = np.empty(len(work))
        for first in range(0, len(work), _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            part = work.part(rows)
            # Exactly the prior where nothing was learned: exp(log(x)) would round.
            found[rows] = part.prior_s * np.exp(_with_author(part) @ self.mean)
        return np.maximum(found, LEAST_S)


def _with_author(work: Work) -> Floats:
    """`[n, 7]` the features, and 1 for the author's intercept."""
    return np.concatenate([_features(work), np.ones((len(work), 1))], axis=1)


def _features(work: Work) -> Floats:
    """`[n, 6]` what the standard seconds may get wrong.

    - 1: everything is slower;
    - log(1 + expected work : overhead): how far the expected work is to be believed;
    - drawn: drawing is slower than correcting;
    - share of the first-slice overhead;
    - 1 - expected Dice: poor proposals (0 before a model);
    - log(1 + drawing all contours : overhead): errors that the samples do not show grow with the
      contour, not with the expected work.

    Work and contour count in units of the overhead, not of `prior_s`: else the less work is
    expected, the more an error could be missed, and a sure slice would look dear.
    """
    first_s = STANDARD.first_slice_s * work.first
    beyond_s = np.maximum(work.prior_s - first_s - STANDARD.overhead_s, 0.0)
    return np.stack(
        [
            np.ones(len(work)),
            np.log1p(beyond_s / STANDARD.overhead_s),
            work.drawn.astype(np.float64),
            first_s / work.prior_s,
            np.nan_to_num(1 - work.expected_dice),
            np.log1p(work.contour_mm / STANDARD.speed_mm_s / STANDARD.overhead_s),
        ],
        axis=1,
    )


def _without_idle(log_ratio: Floats, authors: npt.NDArray[np.str_]) -> Floats:
    """The logs of logged to standard seconds, cut round each author's median (see `fit`)."""
    cut = log_ratio.copy()
    for name in set(authors.tolist()):
        own = authors == name
        centre, reach = 0.0, math.log(WIDEST_FACTOR)
        if np.count_nonzero(own) >= IDLE_ANSWERS:
            centre, reach = float(np.median(log_ratio[own])), math.log(IDLE_FACTOR)
        cut[own] = np.clip(log_ratio[own], centre - reach, centre + reach)
    return cut
