"""What a model learns from slices that were chosen before any label: strategies side by side.

    python benchmarks/one_shot.py --cohort DIR --structures anterior,posterior --out FILE
    python benchmarks/one_shot.py --cohort DIR --minutes 10 --strategies one-shot,random --seeds 3

For each seed (the split of the benchmark, and of the choice) and each number of minutes a strategy
chooses with a quarter more of expected minutes than there are; the simulated clinician draws the
slices in their order from the reference labels until the minutes are spent, and asks again where
the list ends before them; the recipe trains on them and is measured on whole test volumes. Prints a
table of mean and worst seed. Results are kept line by line in the file, so that a run that was
stopped goes on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from activeseg.cohort import Cohort, open_cohort, take_slice
from activeseg.cost import STANDARD, answer_seconds
from activeseg.keys import SliceKey
from activeseg.loop.evaluation import evaluate
from activeseg.loop.references import reference_slices
from activeseg.loop.split import only, split
from activeseg.model.inference import SliceModel
from activeseg.model.network import GENERATION
from activeseg.model.training import Recipe, train
from activeseg.progress import Silent
from activeseg.project.feature_cache import user_cache
from activeseg.project.offer import fresh_offer
from activeseg.project.scans import cohort_network
from activeseg.sampling import strategy

_JOB = ("strategy", "minutes", "seed", "propagation", "generation")

SPARE = 1.25
"""Of the minutes there are, so many are asked for: expected minutes are a guess."""


def main() -> None:
    """Run what is missing and print the table."""
    a = _arguments()
    jobs = [
        {"strategy": name, "minutes": minutes, "seed": seed}
        | {"propagation": not a.alone, "generation": GENERATION}
        for seed in range(a.seeds)
        for minutes in a.minutes
        for name in a.strategies
    ]
    lines = a.out.read_text().splitlines() if a.out.is_file() else []
    # Lines that do not say are of before there was propagation, and of the network before.
    told = [{"propagation": False, "generation": 2} | json.loads(line) for line in lines]
    done = [
        each
        for each in told
        if (each["propagation"], each["generation"]) == (not a.alone, GENERATION)
    ]
    known = [{key: each[key] for key in _JOB} for each in done]
    waiting = [job for job in jobs if job not in known]
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(a.processes, mp_context=spawned) as pool:
        running = [pool.submit(_run, a, job) for job in waiting]
        for each in as_completed(running):
            done.append(each.result())
            print(json.dumps(done[-1]), flush=True)
            with a.out.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
    _print_table(a, done)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--structures", type=_names, default=())
    parser.add_argument("--out", type=Path, default=Path("one_shot.jsonl"))
    parser.add_argument("--minutes", type=_numbers, default=(5.0, 10.0, 20.0))
    parser.add_argument(
        "--strategies", type=_names, default=("one-shot", "random", "strided", "coreset")
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--alone", action="store_true", help="without propagation")
    parser.add_argument("--pool", type=int, default=None)
    parser.add_argument("--test", type=int, default=None)
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


def _run(a: argparse.Namespace, job: dict[str, Any]) -> dict[str, Any]:
    """One strategy, number of minutes and seed."""
    cohort, seed = open_cohort(a.cohort, a.structures), job["seed"]
    count = len(cohort.volumes)
    sizes = (a.pool or round(0.6 * count), a.test or count - round(0.6 * count))
    pool_ids, test_ids = split(cohort, seed, *sizes)
    pool = only(cohort, pool_ids)
    keys, spent = _answered(pool, job)
    config = cohort_network(pool, "auto")
    canonical = [_canonical(pool, key) for key in keys]
    slices = reference_slices(pool, canonical, config, "auto", job["propagation"], Silent())
    shown = [bool((each.label > 1).any()) for each in slices]
    trained = train(slices, config, Recipe(steps=a.steps), seed, Silent())
    model = SliceModel(trained.network, config)
    quality = evaluate(model, only(cohort, test_ids), "auto", Silent())
    facts = {"slices": len(keys), "empty": shown.count(False), "spent": round(spent, 2)}
    return job | facts | {"dice": round(quality.dice, 4), "dice_p5": round(quality.dice_p5, 4)}


def _answered(pool: Cohort, job: dict[str, Any]) -> tuple[list[SliceKey], float]:
    """The slices that are chosen and answered before the minutes are spent, and how many are.

    A list that is at its end before the minutes are is followed by one for those that are left.
    """
    chosen_by, minutes = strategy(job["strategy"]), job["minutes"]
    structures = [each.value for each in pool.structures]
    keys: list[SliceKey] = []
    opened: set[str] = set()
    spent = 0.0
    for asked in itertools.count():
        sizes = [None] * len(structures)
        offer = fresh_offer(pool, "auto", sizes, chosen_by, Silent(), user_cache(), keys)
        rng = np.random.default_rng([job["seed"], asked])
        budget_s = 60 * SPARE * (minutes - spent)
        choices = chosen_by.choose(offer.pool, budget_s=budget_s, rng=rng).choices
        if not choices:
            break
        for key in (choice.candidate.key for choice in choices):
            took = _minutes(pool, key, structures, first=key.volume not in opened)
            if spent + took > minutes:
                return keys, spent
            spent += took
            opened.add(key.volume)
            keys.append(key)
    return keys, spent


def _minutes(pool: Cohort, key: SliceKey, structures: list[int], first: bool) -> float:
    """What drawing a slice from its reference label takes; more if its volume is opened for it."""
    geometry = pool.volume(key.volume).geometry
    wanted = take_slice(pool.read_label(key.volume), geometry, key.plane, key.index)
    spacing = geometry.slice_spacing(key.plane)
    return answer_seconds(None, wanted, structures, spacing, STANDARD, first).seconds / 60


def _canonical(pool: Cohort, key: SliceKey) -> SliceKey:
    """The same slice by its canonical index."""
    index = pool.volume(key.volume).geometry.canonical_index(key.plane, key.index)
    return SliceKey(key.volume, key.plane, index)


def _print_table(a: argparse.Namespace, done: list[dict[str, Any]]) -> None:
    """Mean and worst seed of each strategy, and its lead over each seed of the first one."""
    print("| minutes | strategy | seeds | slices | empty | mean Dice | worst | first less this |")
    print("|---|---|---|---|---|---|---|---|")
    for minutes in a.minutes:
        of = {
            name: {r["seed"]: r for r in done if (r["strategy"], r["minutes"]) == (name, minutes)}
            for name in a.strategies
        }
        first = of[a.strategies[0]]
        for name, runs in of.items():
            if not runs:
                continue
            dice = np.array([r["dice"] for r in runs.values()])
            less = [first[s]["dice"] - r["dice"] for s, r in runs.items() if s in first]
            error = np.std(less, ddof=1) / np.sqrt(len(less)) if len(less) > 1 else float("nan")
            print(
                f"| {minutes:g} | {name} | {len(runs)} "
                f"| {np.mean([r['slices'] for r in runs.values()]):.1f} "
                f"| {np.mean([r['empty'] for r in runs.values()]):.1f} "
                f"| {dice.mean():.3f} | {dice.min():.3f} | {np.mean(less):+.3f} ± {error:.3f} |"
            )


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(each) for each in text.split(","))


if __name__ == "__main__":
    main()
