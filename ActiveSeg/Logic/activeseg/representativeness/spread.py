"""Representative slices, spread over the volumes, chosen on frozen features alone.

One cluster for each slice that can be afforded, and from each cluster a slice near its centre:
the diversity of clustering with the typicality of a medoid, as in TypiClust (Hacohen et al.,
ICML 2022) for the case without labels. Slices of many volumes teach more than many slices of
one, so a cluster gives a slice of the volume that has given least so far.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from activeseg.representativeness.emptiness import nearly_empty
from activeseg.representativeness.space import reduced

__all__ = ["Representative", "clusters", "k_means", "spread"]


@dataclass(frozen=True)
class Representative:
    """A row that was chosen, and for how many rows (itself included) it stands.

    One that was only added because every cluster is represented already stands for 0.
    """

    row: int
    stands_for: int


def spread(
    features: npt.NDArray[np.float32],
    groups: npt.NDArray[np.str_],
    information: npt.NDArray[np.float32],
    count: int,
    rng: np.random.Generator,
    taken: Sequence[str] = (),
) -> list[Representative]:
    """Choose rows that stand for all rows and are spread over the groups.

    Args:
        features: `[N, D]`, any scale; each column is standardised.
        groups: `[N]` volume ids.
        information: `[N]`, not negative: how much there is to see. It weighs a row in its
            cluster and as the cluster's representative; rows that are nearly empty are chosen
            only when there are no others.
        count: How many rows to choose; at most N are.
        rng: Seeds the clustering.
        taken: Volumes that have given slices already, once for each slice.

    Returns:
        The representatives, that of the heaviest cluster first; no row twice.
    """
    empty = nearly_empty(information)
    rows = np.flatnonzero(~empty)
    poor = np.flatnonzero(empty)
    weight = np.maximum(information[rows].astype(np.float64), np.finfo(np.float32).tiny)
    nearest, squared = clusters(
        features[rows].astype(np.float64), weight, min(count, rows.size), int(rng.integers(2**31))
    )

    given = Counter(taken)
    found: list[Representative] = []
    for cluster in _heaviest_first(nearest, weight):
        members = np.flatnonzero(nearest == cluster)
        member = _representative(members, groups[rows], weight, squared, given)
        given[str(groups[rows[member]])] += 1
        found.append(Representative(int(rows[member]), members.size))
    # Equal rows fall into one cluster, so there can be fewer clusters than was asked for.
    chosen = {each.row for each in found}
    others = [int(row) for row in rng.permutation(rows) if row not in chosen]
    others += [int(row) for row in poor[np.argsort(-information[poor], kind="stable")]]
    found += [Representative(row, 0) for row in others[: max(0, count - len(found))]]
    return found[:count]


def clusters(
    features: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    count: int,
    seed: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Weighted k-means on the first principal components.

    Args:
        features: `[N, D]`, any scale; each column is standardised.
        weight: `[N]`, above 0.
        count: How many clusters, N at most.
        seed: Of the first centres.

    Returns:
        Of each row its cluster and its squared distance to that cluster's centre.
    """
    return k_means(reduced(features, seed), weight, count, seed)


def k_means(
    points: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    count: int,
    seed: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Weighted k-means on points as they are; args and returns are those of `clusters`."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    # One thread: with more, the order of the sums, and so the choice, could differ from run
    # to run.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # Fewer distinct points than clusters is no fault here; who chooses fills up.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KMeans(count, n_init=1, random_state=seed).fit(points, sample_weight=weight)
    nearest = model.labels_.astype(np.int64)
    squared = np.square(points - model.cluster_centers_[nearest]).sum(axis=1)
    return nearest, squared


def _heaviest_first(
    nearest: npt.NDArray[np.int64], weight: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    total = np.bincount(nearest, weights=weight)
    order = np.argsort(-total, kind="stable")
    return order[total[order] > 0]


def _representative(
    members: npt.NDArray[np.int64],
    groups: npt.NDArray[np.str_],
    weight: npt.NDArray[np.float64],
    squared: npt.NDArray[np.float64],
    given: Counter[str],
) -> int:
    """Of the cluster's volumes that gave least, the row that is central and informative."""
    counts = np.array([given[str(group)] for group in groups[members]])
    scale = max(float(squared[members].mean()), float(np.finfo(np.float32).tiny))
    members = members[counts == counts.min()]
    score = np.log(weight[members]) - squared[members] / scale
    return int(members[np.argmax(score)])
