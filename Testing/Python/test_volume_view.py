"""The network of volumes as one of a model's views."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from activeseg.keys import Plane
from activeseg.model import precision, volume_view
from activeseg.model.inference import SliceModel
from activeseg.model.network import NetworkConfig, build, load, save, seeded
from activeseg.model.propagation import taught
from activeseg.model.scan import PLACES, Scan
from activeseg.model.supervised import SliceVolumeUNet
from activeseg.model.training import Recipe, train
from activeseg.model.volume_view import volume_softmax
from activeseg.model.volumes import Lesson
from activeseg.progress import Silent

CPU = torch.device("cpu")
CONFIG = NetworkConfig(1, (1, 2), 1.0, "mr")
BOX = (slice(3, 9), slice(0, 10), slice(2, 20))


class Pointwise(nn.Module):
    """Says of each voxel what its own grey value and place tell."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        with seeded(1):
            self.layer = nn.Conv3d(channels, 3, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layer(image)
        return found


@pytest.fixture(autouse=True)
def _single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: False)


def scan_of(shape: tuple[int, int, int] = (12, 18, 21)) -> Scan:
    values = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    return Scan(values, (1.0, 1.0, 1.0), tuple(Plane))


def by_hand(network: nn.Module, scan: Scan) -> np.ndarray:
    places = np.meshgrid(*[np.linspace(-1, 1, n) for n in scan.shape], indexing="ij")
    image = np.concatenate([scan.channels, places]).astype(np.float32)
    with torch.inference_mode():
        return network(torch.from_numpy(image)[None])[0].softmax(dim=0).numpy()


@pytest.mark.parametrize("at_once", [96, 4, 1])
@pytest.mark.parametrize("margin", [0, 2, 16])
def test_every_voxel_is_shown_its_grey_value_and_its_place(
    monkeypatch: pytest.MonkeyPatch, at_once: int, margin: int
) -> None:
    monkeypatch.setattr(volume_view, "SLICES_AT_ONCE", at_once)
    monkeypatch.setattr(volume_view, "MARGIN", margin)
    network, scan = Pointwise(1 + PLACES), scan_of()
    found = volume_softmax(network, scan, BOX, CPU)
    np.testing.assert_allclose(found, by_hand(network, scan)[(slice(None), *BOX)], atol=1e-5)


def test_a_part_of_a_volume_is_placed_in_the_whole() -> None:
    network, scan = Pointwise(1 + PLACES), scan_of()
    inner = (slice(5, 7), slice(4, 9), slice(10, 12))
    found = volume_softmax(network, scan, inner, CPU)
    np.testing.assert_allclose(found, by_hand(network, scan)[(slice(None), *inner)], atol=1e-5)


def model_of(steps: int) -> SliceModel:
    with seeded(3):
        network = build(CONFIG)
    network.volume_steps += steps
    return SliceModel(network, CONFIG)


def test_what_never_learned_has_no_say() -> None:
    assert [view.plane for view in model_of(0).views(scan_of())] == list(Plane)


def test_it_is_seen_last_and_beside_the_planes() -> None:
    *planes, whole = model_of(5).views(scan_of(), passes=3)
    assert [view.beside for view in planes] == [False, False, False]
    assert (whole.plane, whole.beside, whole.energy, whole.passes) == (None, True, None, None)
    assert whole.box == planes[0].box
    assert whole.softmax.shape == planes[0].softmax.shape
    np.testing.assert_allclose(whole.softmax.sum(axis=0), 1, atol=1e-5)


def test_it_has_a_say_in_the_labels() -> None:
    scan = scan_of()
    sure = model_of(5)
    network = sure._network
    assert isinstance(network, SliceVolumeUNet)
    last = [each for each in network.volume.modules() if isinstance(each, nn.Conv3d)][-1]
    with torch.no_grad():
        last.weight.zero_()
        assert last.bias is not None
        last.bias.copy_(torch.tensor([0.0, 0.0, 50.0]))
    assert (sure.labels(scan) == 2).mean() > 0.9
    assert (model_of(0).labels(scan) == 2).mean() < 0.9


def test_a_checkpoint_keeps_both_networks_and_what_they_learned(tmp_path) -> None:
    with seeded(3):
        network = build(CONFIG)
    network.volume_steps += 7
    save(tmp_path / "model.pt", network, CONFIG, {})
    found, _, _ = load(tmp_path / "model.pt")
    assert isinstance(found, SliceVolumeUNet)
    assert found.sees_volumes
    assert int(found.volume_steps) == 7
    for name, value in network.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name


@pytest.mark.parametrize("shape", [(1, 24, 24), (3, 10, 90), (5, 9, 7)])
def test_flat_narrow_and_tiny_volumes_are_learned_from_and_answered(
    shape: tuple[int, int, int],
) -> None:
    scan = Scan(scan_of(shape).stored, (5.0, 1.0, 1.0), (Plane.AXIAL,))
    channels = np.zeros(shape[1:], np.uint8)
    channels[3:7, 2:6] = 1
    slices = taught(scan, [Lesson(Plane.AXIAL, 0, channels)], 1.0, 1, True)
    trained = train(slices, CONFIG, Recipe(steps=2, batch=2, block=16), 0, Silent())
    model = SliceModel(trained.network, CONFIG)
    assert [view.plane for view in model.views(scan)] == [Plane.AXIAL, None]
    assert model.labels(scan).shape == shape
