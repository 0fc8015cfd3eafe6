"""What a model that exists already saves on scans of another contrast, against starting from none.

    python benchmarks/bundle.py --cohort DIR --structures anterior,posterior --work DIR --out FILE

For each seed the cohort is split by chance into source, pool and test volumes. A 3-D U-Net of MONAI
is trained on the source volumes and written as a bundle's folder. Pool and test volumes get another
contrast (`shifted`) and make a cohort of their own. There the simulated clinician answers the
batches of two projects, one that starts from the bundle (`init --model`) and one that starts from
nothing, as in `activeseg benchmark`. The goal is 95 % of the Dice that the built-in network reaches
with the whole labelled pool of that cohort. Each run that has ended is one line of the file; what
was stopped goes on where it was when the same command is given again, and with more `--minutes`
the projects go on from the batches that they have. Prints a table.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from trained_bundle import opened, trained_bundle

from activeseg.cohort import Cohort, open_cohort, write_image
from activeseg.files import make_folder, write_json
from activeseg.loop.arm import ArmPlan, run_arm
from activeseg.loop.evaluation import Quality, evaluate
from activeseg.loop.full import run_full
from activeseg.loop.measures import minutes_to, without_patients
from activeseg.loop.split import only
from activeseg.model.training import Recipe
from activeseg.progress import Silent
from activeseg.project import Project
from activeseg.project.beginning import begin
from activeseg.project.scoring import Scoring
from activeseg.sampling import DEFAULT_STRATEGY

RUNS = ("full", "nothing", "bundle")

GAMMA, KNEE, FOLD = 0.5, 0.75, 0.5
"""Of `shifted`: so strong that the bundle as it came loses most of its Dice, but not all of it."""

BIAS, NOISE = 0.5, 0.03
"""Largest change of the brightness from one side of a volume to the other, and of each voxel."""

GOALS = (0.90, 0.95)
"""Shares of the full pool's Dice to which minutes are counted."""


def main() -> None:
    """Run what is missing and print the table."""
    a = _arguments()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are spawned below
    done = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.is_file() else []
    settings = {"batches": list(a.minutes), "steps": a.steps}
    done = [each for each in done if each["settings"] == settings]
    known = {(each["run"], each["seed"]) for each in done}
    jobs = [(run, seed) for seed in range(a.seeds) for run in RUNS if (run, seed) not in known]
    for seed in sorted({seed for _, seed in jobs}):  # what the runs of a seed share
        _shifted_cohort(a, seed)
        _bundle(a, seed)
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(a.processes, mp_context=spawned) as processes:
        running = [processes.submit(_run, a, *job) for job in jobs]
        for each in as_completed(running):
            done.append(each.result() | {"settings": settings})
            with a.out.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
            print(f"{done[-1]['run']}, seed {done[-1]['seed']} ended", flush=True)
    _print_table(done)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--structures", type=lambda text: tuple(text.split(",")), default=())
    parser.add_argument("--work", type=Path, default=Path("bundle-work"), help="scratch folder")
    parser.add_argument("--out", type=Path, default=Path("bundle.jsonl"))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--source", type=int, default=60)
    parser.add_argument("--pool", type=int, default=60)
    parser.add_argument("--test", type=int, default=80)
    parser.add_argument("--minutes", type=_numbers, default=(5.0, 5.0, 10.0, 20.0))
    parser.add_argument("--steps", type=int, default=Recipe().steps, help="of the built-in network")
    parser.add_argument("--bundle-steps", type=int, default=600)
    parser.add_argument("--processes", type=int, default=1)
    return parser.parse_args()


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(each) for each in text.split(","))


def _parts(a: argparse.Namespace, cohort: Cohort, seed: int) -> dict[str, tuple[str, ...]]:
    """Ids of source, pool and test volumes."""
    ids = sorted(volume.id for volume in cohort.volumes if volume.label is not None)
    if len(ids) < a.source + a.pool + a.test:
        raise SystemExit(f"{len(ids)} labelled volumes; give smaller --source, --pool and --test")
    order = [ids[k] for k in np.random.default_rng(seed).permutation(len(ids))]
    ends = np.cumsum([0, a.source, a.pool, a.test])
    names = ("source", "pool", "test")
    return {name: tuple(sorted(order[ends[k] : ends[k + 1]])) for k, name in enumerate(names)}


def shifted(image: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """An image of another contrast: what was bright is darker than what was of middle grey.

    Grey values between the 0.5th and the 99.5th percentile, as x from 0 to 1, become
    x ** `GAMMA`; what is then above `KNEE` goes down again, `FOLD` for each 1 above it. A plane
    through the volume makes one side brighter than the other, by up to `BIAS` each way; then
    noise, and another scale.
    """
    low, high = np.percentile(image, (0.5, 99.5))
    grey = np.clip((image - low) / max(high - low, 1e-6), 0, 1) ** GAMMA
    grey = np.where(grey > KNEE, KNEE - FOLD * (grey - KNEE), grey)
    slope = rng.normal(size=3)
    slope *= BIAS / np.abs(slope).sum()
    sides = [s * np.linspace(-1, 1, n) for s, n in zip(slope, image.shape, strict=True)]
    bias = 1 + sides[0][:, None, None] + sides[1][:, None] + sides[2]
    changed = 50 + 400 * (grey * bias + rng.normal(0, NOISE, image.shape))
    return np.asarray(changed, dtype=np.float32)


def _shifted_cohort(a: argparse.Namespace, seed: int) -> Path:
    """The folder of pool and test volumes in their other contrast; made where it is not there."""
    folder = Path(a.work) / f"seed-{seed}" / "cohort"
    if (folder / "dataset.json").is_file():  # written last
        return folder
    cohort = open_cohort(a.cohort, a.structures)
    parts = _parts(a, cohort, seed)
    for name in ("images", "labels"):
        make_folder(folder / name)
    for number, each in enumerate((*parts["pool"], *parts["test"])):
        volume = cohort.volume(each)
        assert volume.label is not None  # `_parts` has looked
        image = shifted(cohort.read_image(each), np.random.default_rng([seed, number]))
        write_image(folder / "images" / f"{each}.nii.gz", image, volume.geometry)
        shutil.copy(volume.label, folder / "labels" / f"{each}.nii.gz")
    labels = {structure.name: structure.value for structure in cohort.structures}
    described = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, **labels}}
    write_json(folder / "dataset.json", described)
    return folder


def _bundle(a: argparse.Namespace, seed: int) -> Path:
    """The folder of a bundle that learned from the source volumes; trained where it is missing."""
    cohort = open_cohort(a.cohort, a.structures)
    source = only(cohort, _parts(a, cohort, seed)["source"])
    folder = Path(a.work) / f"seed-{seed}" / "bundle"
    return trained_bundle(folder, source, a.bundle_steps, seed)


def _run(a: argparse.Namespace, run: str, seed: int) -> dict[str, Any]:
    """One run, or what is left of it."""
    torch.set_num_threads(1)
    begun = time.perf_counter()
    found = _full(a, seed) if run == "full" else _arm(a, run, seed)
    took = round(time.perf_counter() - begun)
    return {"run": run, "seed": seed, **found, "seconds": took}


def _plan(a: argparse.Namespace, run: str, seed: int) -> ArmPlan:
    cohort = open_cohort(_shifted_cohort(a, seed), a.structures)
    parts = _parts(a, open_cohort(a.cohort, a.structures), seed)
    folder = Path(a.work) / f"seed-{seed}" / "runs" / run
    return ArmPlan(
        folder=folder / "project",
        records=folder / "records",
        cohort=cohort,
        pool=parts["pool"],
        test=parts["test"],
        strategy=DEFAULT_STRATEGY,
        minutes=a.minutes,
        plane_policy="auto",
        seed=seed,
        recipe=Recipe(steps=a.steps),
        scoring=Scoring(),
    )


def _full(a: argparse.Namespace, seed: int) -> dict[str, Any]:
    """The built-in network with the whole labelled pool."""
    return {"dice": run_full(_plan(a, "full", seed), Silent()).dice}


def _arm(a: argparse.Namespace, run: str, seed: int) -> dict[str, Any]:
    """The curve of a project; from the bundle it begins with what the bundle knows as it came."""
    plan = _plan(a, run, seed)
    found: dict[str, Any] = {}
    before: list[dict[str, Any]] = []
    if run == "bundle":
        came = _begun(a, plan, seed)
        before = [{"minutes": 0.0, "dice": came.dice, "slices": 0}]
        original = open_cohort(a.cohort, a.structures)
        model = opened(_bundle(a, seed), original)
        known = evaluate(model, only(original, plan.test), "auto", Silent())
        found["dice_unshifted"] = known.dice
    run_of = run_arm(plan, Silent())
    return found | {"curve": before + without_patients(run_of.curve)}


def _begun(a: argparse.Namespace, plan: ArmPlan, seed: int) -> Quality:
    """Make the project that starts from the bundle; how good that is on the test volumes."""
    pool = only(plan.cohort, plan.pool)
    bundle = _bundle(a, seed).absolute()
    if not (plan.folder / "project.json").is_file():
        start = begin(str(bundle), pool, plan.plane_policy, {}, trusted=False)
        Project.create(
            plan.folder, pool, plan.plane_policy, plan.strategy, plan.seed, str(bundle), start
        )
    test = only(plan.cohort, plan.test)
    return evaluate(opened(bundle, test), test, plan.plane_policy, Silent())


def _print_table(done: list[dict[str, Any]]) -> None:
    """Dice by minutes, and minutes to the goals, of each run."""
    runs = {(each["run"], each["seed"]): each for each in done}
    goals = " | ".join(f"M{100 * goal:.0f}" for goal in GOALS)
    print(f"| seed | start | full pool's Dice | Dice at minutes | {goals} |")
    print("|---" * (4 + len(GOALS)) + "|")
    for seed in sorted({seed for _, seed in runs}):
        full = runs.get(("full", seed))
        for name in RUNS[1:]:
            arm = runs.get((name, seed))
            if full is None or arm is None:
                continue
            curve = ", ".join(f"{p['dice']:.3f} at {p['minutes']:.1f}" for p in arm["curve"])
            reached = " | ".join(_reached(arm["curve"], goal * full["dice"]) for goal in GOALS)
            print(f"| {seed} | {name} | {full['dice']:.3f} | {curve} | {reached} |")


def _reached(curve: list[dict[str, Any]], goal: float) -> str:
    """Minutes to a Dice in words."""
    found = minutes_to(curve, goal)
    return f"more than {curve[-1]['minutes']:.1f}" if found is None else f"{found:.1f}"


if __name__ == "__main__":
    main()
