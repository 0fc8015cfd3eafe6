"""Pool and test volumes of a labelled cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from activeseg.cohort import Cohort
from activeseg.errors import CohortError

__all__ = ["only", "split"]

POOL_SHARE = 0.6


def split(
    cohort: Cohort, seed: int, pool: int | None, test: int | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split the labelled volumes by chance, whole volumes only.

    Args:
        cohort: The cohort.
        seed: Fixes the split.
        pool: Volumes in the pool; None for 60 % of what there is.
        test: Volumes in the test set; None for the rest.

    Returns:
        Ids of the pool, ids of the test set, each sorted.

    Raises:
        CohortError: If there are not enough labelled volumes.
    """
    labelled = sorted(volume.id for volume in cohort.volumes if volume.label is not None)
    in_pool = pool or max(1, round(len(labelled) * POOL_SHARE))
    in_test = test or max(1, len(labelled) - in_pool)
    if in_pool + in_test > len(labelled):
        raise CohortError(
            f"{len(labelled)} volumes have a reference label; {in_pool} for the pool and "
            f"{in_test} for the test need {in_pool + in_test}: ask for fewer",
            cohort.where,
        )
    order = [labelled[k] for k in np.random.default_rng(seed).permutation(len(labelled))]
    return tuple(sorted(order[:in_pool])), tuple(sorted(order[in_pool : in_pool + in_test]))


def only(cohort: Cohort, ids: Sequence[str]) -> Cohort:
    """The cohort with some of its volumes."""
    return replace(cohort, volumes=tuple(cohort.volume(each) for each in ids))
