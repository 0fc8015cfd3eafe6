"""MONAI's plain 3-D BasicUNet on the whole labelled pool, in the time of our own full training.

    python benchmarks/basic_unet.py --cohort DIR --pool 67 --test 45 --benchmark OUT --out FILE
    python benchmarks/basic_unet.py --cohort DIR --pool 67 --test 45 --seconds 900 --out FILE

The network and its training are those that MONAI's tutorials begin with: `BasicUNet` with its
default widths, `DiceCELoss`, Adam at 1e-4, one window of 96 x 96 x 96 voxels of each of two volumes
a step, as often round a structure as not, grey values shifted a little, sliding windows for whole
volumes. Nothing is mirrored, as left and right are different structures, and nothing is resampled.
The split is that of `activeseg benchmark` with the same seed. Training takes so many seconds of the
clock, reading the volumes included and testing not: either as many as are said, or what the full
model of a benchmark took in all (`computing_s` of `OUT/full/<seed>.json`), its test included. Each
seed that has ended is one line of the file and is not run again. Prints a table.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import BasicUNet
from monai.transforms import Compose, RandCropByPosNegLabeld, RandShiftIntensityd, SpatialPadd

from activeseg.cohort import Cohort, open_cohort
from activeseg.files import read_json
from activeseg.loop.evaluation import evaluate
from activeseg.loop.split import only, split
from activeseg.model.description import Description, Step
from activeseg.model.foreign import ForeignModel
from activeseg.model.network import pick_device, seeded
from activeseg.model.opened import Answers, Opened
from activeseg.progress import Silent
from activeseg.project.scans import channel_table, cohort_network, scan_for

WINDOW_HU = (-175.0, 250.0)
"""Of the tutorials for CT, brought to 0 to 1; an MR gets mean 0 and deviation 1."""

BATCH = 2


def main() -> None:
    """Run the seeds that are missing and print the table."""
    a = _arguments()
    torch.set_num_threads(a.threads)
    done = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.is_file() else []
    for seed in range(a.seeds):
        if seed in [each["seed"] for each in done]:
            continue
        done.append(_run(a, seed))
        with a.out.open("a") as file:
            file.write(json.dumps(done[-1]) + "\n")
    _print_table(done)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--structures", type=lambda text: tuple(text.split(",")), default=())
    parser.add_argument("--pool", type=int, default=None)
    parser.add_argument("--test", type=int, default=None)
    limit = parser.add_mutually_exclusive_group(required=True)
    limit.add_argument("--seconds", type=float, help="of the clock, for reading and training")
    limit.add_argument("--benchmark", type=Path, help="as many as its full model of the same seed")
    parser.add_argument("--out", type=Path, default=Path("basic_unet.jsonl"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--patch", type=int, default=96, help="voxels along each side of a window")
    parser.add_argument("--rate", type=float, default=1e-4, help="of Adam")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


def _run(a: argparse.Namespace, seed: int) -> dict[str, Any]:
    """One seed."""
    cohort = open_cohort(a.cohort, a.structures)
    pool, test = (only(cohort, ids) for ids in split(cohort, seed, a.pool, a.test))
    limit, ours = _limit(a, seed)
    with seeded(seed):
        model = _model(cohort, a.patch, a.device)
        begun = time.perf_counter()
        volumes = [_volume(model, pool, volume.id) for volume in pool.volumes]
        read_s = time.perf_counter() - begun
        steps, loss = _train(model, volumes, a, begun + limit, seed)
        took = time.perf_counter() - begun
    quality = evaluate(model, test, "auto", Silent())
    return {
        "seed": seed,
        "pool": len(pool.volumes),
        "test": len(test.volumes),
        "seconds": round(took, 1),
        "reading_s": round(read_s, 1),
        "steps": steps,
        "loss": loss,
        "patch": a.patch,
        "rate": a.rate,
        "threads": a.threads,
        "device": pick_device(a.device).type,
        "dice": quality.dice,
        "dice_p5": quality.dice_p5,
        "hd95": quality.hd95_mm,
        "structures": quality.structures,
        "full_dice": ours,
    }


def _limit(a: argparse.Namespace, seed: int) -> tuple[float, float | None]:
    """Seconds that there are, and the Dice that our own full training reached in them."""
    if a.benchmark is None:
        return a.seconds, None
    record = read_json(a.benchmark / "full" / f"{seed:03d}.json")
    if "computing_s" not in record:
        raise SystemExit(f"seed {seed}: its full record has no computing_s; give --seconds")
    return float(record["computing_s"]), float(record["dice"])


def _model(cohort: Cohort, patch: int, device: str) -> ForeignModel:
    """A fresh network that is shown whole volumes in their own spacing."""
    ct = cohort.volumes[0].modality != "mr"
    low, high = WINDOW_HU
    scaled = {"a_min": low, "a_max": high, "b_min": 0.0, "b_max": 1.0, "clip": True}
    outputs = 1 + len(cohort.structures)
    description = Description(
        axes="SPL",
        pixdim=(None, None, None),
        window=(patch, patch, patch),
        before=(Step("ScaleIntensityRange", scaled) if ct else Step("NormalizeIntensity", {}),),
    )
    network = BasicUNet(spatial_dims=3, in_channels=1, out_channels=outputs)
    opened = Opened(network, description, "BasicUNet", scripted=False)
    channels = range(1, outputs)
    config = cohort_network(cohort, "auto")
    return ForeignModel(opened, Answers(outputs, False), channels, config, device)


@dataclass(frozen=True)
class _Volume:
    """A volume as the network is shown it, and the class of each voxel, `[1, S, P, L]`."""

    image: torch.Tensor
    label: torch.Tensor


def _volume(model: ForeignModel, cohort: Cohort, volume: str) -> _Volume:
    """Read one volume."""
    shown = model.show(scan_for(model, cohort, volume, "auto"))
    label = cohort.volume(volume).geometry.to_canonical(cohort.read_label(volume))
    classes = channel_table(model.config.structures)[label]
    return _Volume(shown.image, torch.from_numpy(np.ascontiguousarray(classes))[None])


def _train(
    model: ForeignModel, volumes: list[_Volume], a: argparse.Namespace, until: float, seed: int
) -> tuple[int, float | None]:
    """Train while there is time; how many steps that were, and the mean loss of the last ten."""
    names, size = ("image", "label"), (a.patch,) * 3
    cut = Compose(
        [
            SpatialPadd(keys=names, spatial_size=size),
            RandCropByPosNegLabeld(
                keys=names, label_key="label", spatial_size=size, pos=1, neg=1, num_samples=1
            ),
            RandShiftIntensityd(keys="image", offsets=0.1, prob=0.5),
        ]
    )
    cut.set_random_state(seed)
    rng = np.random.default_rng(seed)
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True)
    optimiser = torch.optim.Adam(model.network.parameters(), a.rate)
    losses: list[float] = []
    model.network.train()
    while time.perf_counter() < until:
        drawn = [volumes[k] for k in rng.integers(len(volumes), size=BATCH)]
        windows = [cut({"image": each.image, "label": each.label})[0] for each in drawn]
        image, label = (
            torch.stack([torch.as_tensor(np.asarray(window[name])) for window in windows])
            for name in names
        )
        loss = loss_of(model.network(image.to(model.device)), label.to(model.device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.item()))
    model.network.eval()
    return len(losses), float(np.mean(losses[-10:])) if losses else None


def _print_table(done: list[dict[str, Any]]) -> None:
    """A line a seed, ours beside it where a benchmark says it."""
    print("| seed | seconds | steps | mean Dice | by structure | ours in the same time |")
    print("|---|---|---|---|---|---|")
    for each in sorted(done, key=lambda record: record["seed"]):
        by_name = ", ".join(
            f"{name} {'none' if dice is None else f'{dice:.3f}'}"
            for name, dice in each["structures"].items()
        )
        ours = each["full_dice"]
        print(
            f"| {each['seed']} | {each['seconds']:.0f} | {each['steps']} | {each['dice']:.3f} "
            f"| {by_name} | {'not said' if ours is None else f'{ours:.3f}'} |"
        )


if __name__ == "__main__":
    main()
