"""Softmax maps of whole scans: where each voxel comes from, what dropout changes, which seams."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from activeseg.keys import Plane
from activeseg.model import planes, precision
from activeseg.model.fusion import Fusion, handicaps
from activeseg.model.inference import ROOM, SliceModel, dropout_only
from activeseg.model.network import NetworkConfig, build, save, seeded
from activeseg.model.planes import padded_logits
from activeseg.model.scan import PLACES, Box, Scan, axis_of
from activeseg.uncertainty import entropy_of_mean

AXIAL, CORONAL, SAGITTAL = Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL
ALL = (AXIAL, CORONAL, SAGITTAL)


class Pointwise(nn.Module):
    """Two classes; the logit of structure 1 is one channel of the stack, pixel by pixel."""

    def __init__(self, channel: int = 1) -> None:
        super().__init__()
        self.channel = channel
        self.gain = nn.Parameter(torch.ones(()))
        self.sizes: list[tuple[int, int]] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.sizes.append((images.shape[2], images.shape[3]))
        logit = images[:, self.channel : self.channel + 1] * self.gain
        return torch.cat([torch.zeros_like(logit), logit], dim=1)


def config_of(structures: int = 1, channels: int = 1, pixel_mm: float = 1.0) -> NetworkConfig:
    modality = "mr" if channels == 1 else "ct"
    return NetworkConfig(channels, tuple(range(1, structures + 1)), pixel_mm, modality)


def fresh(structures: int = 1, channels: int = 1, pixel_mm: float = 1.0) -> SliceModel:
    """The built-in network with fresh weights, always the same."""
    config = config_of(structures, channels, pixel_mm)
    with seeded(5):
        return SliceModel(build(config), config)


def noise(
    shape: tuple[int, int, int] = (5, 16, 24),
    planes: tuple[Plane, ...] = (AXIAL,),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    channels: int = 1,
) -> Scan:
    values = np.random.default_rng(0).normal(size=(channels, *shape)).astype(np.float32)
    return Scan(values, spacing, planes)


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


@pytest.fixture(autouse=True, params=[False, True], ids=["single", "bfloat16"])
def both_precisions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine has, each test runs as on one with native bfloat16 and without."""
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: request.param)


# Plain predictions


@pytest.mark.parametrize("planes", [(AXIAL,), (CORONAL,), (SAGITTAL,), ALL])
def test_each_voxel_keeps_its_place(planes: tuple[Plane, ...]) -> None:
    scan = noise((5, 17, 23), planes)
    found = SliceModel(Pointwise(), config_of()).probabilities(scan)
    assert found.shape == (2, 5, 17, 23)
    assert found.dtype == np.float32
    assert np.allclose(found[1], sigmoid(scan.channels[0]), atol=1e-6)


@pytest.mark.parametrize("plane", ALL)
def test_network_sees_the_slice_before(plane: Plane) -> None:
    scan = noise((4, 6, 8), (plane,))
    found = SliceModel(Pointwise(channel=0), config_of()).probabilities(scan)
    in_front = np.moveaxis(scan.channels[0], axis_of(plane), 0)
    before = np.concatenate([in_front[:1], in_front[:-1]])
    assert np.allclose(np.moveaxis(found[1], axis_of(plane), 0), sigmoid(before), atol=1e-6)


@pytest.mark.parametrize("slices", [1, 23, 24, 25, 49])
def test_any_number_of_slices(slices: int) -> None:
    scan = noise((slices, 8, 8))
    found = SliceModel(Pointwise(), config_of()).probabilities(scan)
    assert np.allclose(found[1], sigmoid(scan.channels[0]), atol=1e-6)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 4), st.integers(1, 33), st.integers(1, 33))
def test_any_size_sums_to_one(s: int, p: int, left: int) -> None:
    scan = noise((s, p, left), ALL, channels=2)
    found = fresh(structures=2, channels=2).probabilities(scan)
    assert found.shape == (3, s, p, left)
    assert np.allclose(found.sum(axis=0), 1, atol=1e-5)
    assert found.min() >= 0


def test_plain_prediction_has_no_chance_in_it() -> None:
    model, scan = fresh(), noise((3, 17, 23), ALL)
    first = model.probabilities(scan)
    list(model.samples(scan, 2, 0, scan.box))
    assert np.array_equal(first, model.probabilities(scan))


def test_scan_is_left_as_it_was() -> None:
    model, scan = fresh(), noise((3, 8, 8), ALL)
    before = scan.channels.copy()
    model.probabilities(scan)
    list(model.samples(scan, 1, 0, scan.box))
    assert np.array_equal(scan.channels, before)


def test_bfloat16_says_nearly_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model, scan = fresh(structures=2), noise((3, 24, 24))
    found = []
    for native in (False, True):
        monkeypatch.setattr(precision, "has_bfloat16", lambda _, native=native: native)
        found.append(model.probabilities(scan))
    assert found[1].dtype == np.float32
    assert not np.array_equal(found[0], found[1])
    assert np.abs(found[0] - found[1]).max() < 0.02


def test_fused_planes_are_the_mean_of_single_planes() -> None:
    model, scan = fresh(structures=2), noise((10, 12, 16), ALL)
    single = [
        model.probabilities(Scan(scan.channels, scan.spacing, (plane,))) for plane in scan.planes
    ]
    for first, second in combinations(single, 2):
        assert np.abs(first - second).max() > 0.01
    assert np.allclose(model.probabilities(scan), np.mean(single, axis=0), atol=1e-6)


# Pixel size


def test_slices_are_brought_to_the_working_pixel_and_back() -> None:
    network = Pointwise()
    scan = noise((2, 12, 10), spacing=(5.0, 1.0, 3.0))
    found = SliceModel(network, config_of(pixel_mm=1.0)).probabilities(scan)
    assert network.sizes == [(16, 32)]  # 12 x 30 working pixels, padded to multiples of 8
    assert found.shape == (2, 2, 12, 10)
    assert np.allclose(found.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("spacing", "pixel_mm"),
    [((1.0, 1.0, 3.0), 1.0), ((1.0, 0.5, 2.0), 1.0), ((1.0, 1.0, 1.0), 2.0)],
)
def test_resampling_moves_nothing(spacing: tuple[float, float, float], pixel_mm: float) -> None:
    p, left = np.mgrid[:20, :30]
    ramp = np.broadcast_to(0.05 * p - 0.04 * left, (3, 20, 30)).astype(np.float32)
    scan = Scan(ramp[None].copy(), spacing, (AXIAL,))
    found = SliceModel(Pointwise(), config_of(pixel_mm=pixel_mm)).probabilities(scan)
    inner = (slice(None), slice(4, -4), slice(4, -4))
    # A shift of a single pixel would change the probability by 0.01.
    assert np.abs(found[1][inner] - sigmoid(ramp)[inner]).max() < 0.002


def test_each_plane_has_its_own_pixel_size() -> None:
    network = Pointwise()
    scan = noise((4, 6, 8), ALL, spacing=(4.0, 1.0, 1.0))
    found = SliceModel(network, config_of(pixel_mm=1.0)).probabilities(scan)
    assert network.sizes == [(8, 8), (16, 8), (16, 8)]
    assert found.shape == (2, 4, 6, 8)


# Size


def test_a_large_slice_is_seen_as_a_whole() -> None:
    scan, network = noise((2, 61, 700)), Pointwise()
    found = SliceModel(network, config_of()).probabilities(scan)
    assert set(network.sizes) == {(64, 704)}
    assert np.allclose(found[1], sigmoid(scan.channels[0]), atol=1e-5)


def test_padding_repeats_the_edge() -> None:
    seen: list[torch.Tensor] = []
    network = Pointwise()
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    images = torch.rand(1, 3, 5, 9, generator=torch.Generator().manual_seed(0))
    assert padded_logits(network, images, torch.device("cpu")).logits.shape == (1, 2, 5, 9)
    assert seen[0].shape == (1, 3, 8, 16)
    assert torch.equal(seen[0][..., :5, :9], images)
    assert torch.equal(seen[0][..., 5:, :9], images[..., 4:5, :].expand(1, 3, 3, 9))
    assert torch.equal(seen[0][..., 9:], seen[0][..., 8:9].expand(1, 3, 8, 7))


# Samples


def sampled(
    model: SliceModel, scan: Scan, passes: int, seed: int, box: Box | None = None
) -> np.ndarray:
    return np.stack(list(model.samples(scan, passes, seed, box or scan.box)))


def test_samples_differ_from_each_other_and_from_the_plain_prediction() -> None:
    model, scan = fresh(structures=2), noise((3, 17, 23))
    found = sampled(model, scan, 3, seed=0)
    assert found.shape == (3, 3, 3, 17, 23)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    for first, second in combinations([*found, model.probabilities(scan)], 2):
        assert np.abs(first - second).max() > 1e-3


def test_samples_are_fixed_by_their_seed() -> None:
    model, scan = fresh(), noise((3, 16, 16))
    first = sampled(model, scan, 3, seed=4)
    torch.rand(7)  # the state outside does not matter
    assert np.array_equal(first, sampled(model, scan, 3, seed=4))
    other = sampled(model, scan, 3, seed=5)
    assert all(not np.array_equal(a, b) for a in first for b in other)


def test_samples_of_a_box_have_its_shape() -> None:
    scan = noise((6, 20, 22), ALL)
    box = (slice(1, 4), slice(3, 20), slice(0, 9))
    found = sampled(SliceModel(Pointwise(), config_of()), scan, 1, 0, box)
    assert np.allclose(found[0, 1], sigmoid(scan.channels[0])[box], atol=1e-6)


def test_samples_without_dropout_are_the_plain_prediction_of_one_plane_each() -> None:
    network = nn.Sequential(nn.Conv2d(3 + PLACES, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
    model, scan = SliceModel(network, config_of()), noise((3, 8, 8), ALL)
    found = sampled(model, scan, 4, 0)
    for sample, plane in zip(found, (AXIAL, *ALL), strict=True):
        assert np.array_equal(sample, model.probabilities(replace(scan, planes=(plane,))))


@pytest.mark.parametrize("plane", ALL)
def test_a_box_is_sampled_with_its_surroundings_in_view(plane: Plane) -> None:
    """What lies round a box, and in the slices beside it, has a part in the answer."""
    network = nn.Conv2d(3 + PLACES, 2, 3, padding=1)
    model, scan = SliceModel(network, config_of()), noise((9, 11, 13), (plane,))
    box = (slice(3, 5), slice(4, 9), slice(2, 13))
    found = sampled(model, scan, 1, 0, box)[0]
    np.testing.assert_allclose(found, model.probabilities(scan)[(slice(None), *box)], atol=1e-2)


def test_a_part_is_seen_as_in_the_whole() -> None:
    model, scan = fresh(structures=2), noise((6, 32, 32), (AXIAL,))
    # One slice and its neighbours, so that nothing is missing round it.
    box = (slice(2, 5), slice(None), slice(None))
    whole, part = model.probabilities(scan), model.probabilities(scan.part(box))
    assert np.allclose(part[:, 1], whole[:, 3], atol=1e-2)
    lost = replace(scan.part(box), corner=(0, 0, 0), whole=None)
    assert not np.allclose(model.probabilities(lost)[:, 1], whole[:, 3], atol=1e-2)


def test_sampling_leaves_network_and_torch_as_they_were() -> None:
    config = config_of()
    with seeded(5):
        network = build(config)
    model, scan = SliceModel(network, config), noise((2, 16, 16))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    for _ in model.samples(scan, 2, 9, scan.box):
        assert not any(module.training for module in network.modules())
        assert torch.equal(torch.get_rng_state(), state)
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert any("running_mean" in name for name in before)


def test_samples_can_be_left_half_way() -> None:
    model, scan = fresh(), noise((2, 8, 8))
    plain = model.probabilities(scan)
    next(iter(model.samples(scan, 5, 0, scan.box)))
    assert np.array_equal(plain, model.probabilities(scan))


# Other sources of chance, and the network's own second opinions


def test_views_are_one_plane_each_and_their_mean_is_the_prediction() -> None:
    model, scan = fresh(), noise((3, 17, 23), ALL)
    seen = list(model.views(scan))
    views = {view.plane: view.softmax for view in seen}
    assert tuple(views) == ALL
    alone = model.probabilities(noise((3, 17, 23), (CORONAL,)))
    assert np.array_equal(views[CORONAL], alone)
    mean = np.mean(list(views.values()), axis=0)
    assert np.allclose(mean, model.probabilities(scan), atol=1e-6)


def corner_of(shape: tuple[int, int, int] = (9, 40, 60)) -> tuple[Scan, Box]:
    """Foreground, for `Pointwise`, in one corner of a large scan: 6 to -6 elsewhere."""
    where = np.s_[0:3, 4:10, 50:56]
    values = np.full((1, *shape), -6.0, dtype=np.float32)
    values[(0, *where)] = 6.0
    return Scan(values, (3.0, 1.0, 1.0), ALL), where


def test_views_look_in_the_box_that_holds_all_foreground() -> None:
    scan, where = corner_of()
    network = Pointwise()
    model = SliceModel(network, config_of())
    seen = list(model.views(scan))
    assert [view.plane for view in seen] == [AXIAL, CORONAL, SAGITTAL]  # the thickest slices first
    room = ROOM
    box = tuple(
        slice(max(0, side.start - room), min(n, side.stop + room))
        for side, n in zip(where, scan.shape, strict=True)
    )
    whole = model.probabilities(scan)[(slice(None), *box)]
    for view in seen:
        assert view.box == box
        # Where the first plane saw nothing likely it is said to have seen nothing.
        np.testing.assert_allclose(view.softmax, whole, atol=0.01)
    wanted = np.zeros(scan.shape, np.uint8)
    wanted[where] = 1
    assert np.array_equal(model.labels(scan), wanted)


def test_where_nothing_is_likely_everything_is_looked_at() -> None:
    scan = Scan(np.full((1, 4, 8, 8), -6.0, np.float32), (1.0, 1.0, 1.0), ALL)
    model = SliceModel(Pointwise(), config_of())
    seen = list(model.views(scan))
    assert [view.plane for view in seen] == [AXIAL, CORONAL, SAGITTAL]
    assert all(view.box == scan.box for view in seen)
    assert not model.labels(scan).any()


def test_labels_are_the_likeliest_classes_of_what_the_planes_say_together() -> None:
    model, scan = fresh(structures=2), noise((6, 20, 22), ALL)
    fusion = Fusion()
    for plane in (AXIAL, CORONAL, SAGITTAL):
        fusion.add(model.probabilities(replace(scan, planes=(plane,))))
    settled = model.settled(fusion.softmax(), scan)
    weighed = settled * handicaps(settled)[:, None, None, None]
    assert np.array_equal(model.labels(scan), weighed.argmax(axis=0))


def test_views_bring_passes_along_evenly() -> None:
    model, scan = fresh(structures=2), noise((6, 20, 22), ALL)
    seen = list(model.views(scan, passes=4, seed=3))
    passes = [view.passes for view in seen]
    assert [len(each.labels) for each in passes] == [2, 1, 1]
    plain = list(model.views(scan))
    for view, other in zip(seen, plain, strict=True):
        assert np.allclose(view.softmax, other.softmax, atol=1e-6)
        assert np.allclose(view.passes.mean.sum(axis=0), 1, atol=1e-5)
        assert not np.allclose(view.passes.mean, view.softmax, atol=1e-4)
    # Of a single pass the likeliest class and the entropy are those of its softmax.
    for alone in passes[1:]:
        assert np.array_equal(alone.labels[0], alone.mean.argmax(axis=0))
        assert np.allclose(alone.entropy, entropy_of_mean(alone.mean), atol=1e-5)
    # Two that differ are together less sure than each of them.
    first, second = passes[0].labels
    assert (first != second).any()
    assert np.all(passes[0].entropy <= entropy_of_mean(passes[0].mean) + 1e-5)
    again = list(model.views(scan, passes=4, seed=3))
    other = list(model.views(scan, passes=4, seed=4))
    assert np.array_equal(passes[0].mean, again[0].passes.mean)
    assert not np.array_equal(passes[0].mean, other[0].passes.mean)
    pointwise = SliceModel(Pointwise(), config_of())
    assert [view.passes for view in pointwise.views(scan, 4)] == [None] * 3


def test_passes_say_background_where_nothing_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices that are read apart are kept in boxes of their own, smaller than that of them all."""
    model, scan = fresh(structures=2), noise((6, 40, 44), (AXIAL,))
    monkeypatch.setattr(planes, "PIXELS_AT_ONCE", 40 * 44)
    original = planes.Where.marked

    def narrow(self, first, there, reach):
        only = np.zeros_like(there)
        only[:, 3 * first : 3 * first + 8, 5 * first : 5 * first + 8] = True
        return original(self, first, only, reach)

    monkeypatch.setattr(planes.Where, "marked", narrow)
    (view,) = model.views(scan, passes=2, seed=1)
    for softmax in (view.softmax, view.passes.mean):
        np.testing.assert_allclose(softmax.sum(axis=0), 1, atol=1e-5)
        assert softmax[0, 0, -1, -1] == 1  # kept of the last slices alone
    kept = np.s_[:, 0, :8, :8]
    assert not np.allclose(view.passes.mean[kept], view.softmax[kept], atol=1e-4)


def test_energy_of_each_view_is_that_of_its_logits() -> None:
    # Two classes with the logits 0 and x: -log(1 + exp(x)).
    scan = noise((3, 8, 8), ALL)
    for view in SliceModel(Pointwise(), config_of()).views(scan):
        np.testing.assert_allclose(view.energy, -np.log1p(np.exp(scan.channels[0])), atol=2e-2)


def test_augmented_samples_are_brought_back_to_their_place() -> None:
    # Pointwise: moving changes nothing but the edge, scaling by 0.9 to 1.1 and shifting by up to
    # 0.1 changes the logit by at most 0.1 |x| + 0.1.
    scan = noise((7, 20, 22), ALL)
    model = SliceModel(Pointwise(), config_of())
    found = np.stack(list(model.augmented(scan, 4, 3, scan.box)))
    inner = (slice(2, -2),) * 3
    logits = np.log(found[:, 1] / found[:, 0])[(slice(None), *inner)]
    wanted = scan.channels[0][inner]
    assert np.all(np.abs(logits - wanted) <= 0.1 * np.abs(wanted) + 0.1 + 1e-4)
    assert np.abs(logits[0] - logits[1]).max() > 1e-3
    assert np.array_equal(found, np.stack(list(model.augmented(scan, 4, 3, scan.box))))
    assert not np.array_equal(found, np.stack(list(model.augmented(scan, 4, 4, scan.box))))


def test_snapshots_are_the_answers_of_the_members_and_leave_the_network() -> None:
    config, scan = config_of(), noise((3, 16, 16))
    networks = []
    for seed in (1, 2, 3):
        with seeded(seed):
            networks.append(build(config))
    wanted = [SliceModel(network, config).probabilities(scan) for network in networks]
    members = [network.state_dict() for network in networks[:2]]
    model = SliceModel(networks[2], config, members)
    found = list(model.snapshots(scan, scan.box))
    assert len(found) == 3
    assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))
    assert np.array_equal(model.probabilities(scan), wanted[2])


def test_sides_are_the_labels_of_each_side_output_in_each_view() -> None:
    model, scan = fresh(structures=2), noise((6, 20, 22), ALL)
    for value, head in enumerate(model._network.heads):  # each says another class everywhere
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        head.bias.data[value + 1] = 1
    for view in model.views(scan):
        assert [(side.shape, side.dtype) for side in view.sides] == [(scan.shape, np.uint8)] * 2
        assert [np.unique(side).tolist() for side in view.sides] == [[1], [2]]
    pointwise = SliceModel(Pointwise(), config_of())
    assert [len(view.sides) for view in pointwise.views(scan)] == [0, 0, 0]


# Dropout


@pytest.mark.parametrize(
    "dropout",
    [
        nn.Dropout,
        nn.Dropout1d,
        nn.Dropout2d,
        nn.Dropout3d,
        nn.AlphaDropout,
        nn.FeatureAlphaDropout,
    ],
)
def test_every_kind_of_dropout_is_switched_on_and_nothing_else(dropout: type[nn.Module]) -> None:
    inner = nn.Sequential(nn.BatchNorm2d(3), dropout(0.5), nn.InstanceNorm2d(3))
    network = nn.Sequential(nn.Conv2d(3, 3, 1), inner, nn.BatchNorm2d(3)).train()
    dropout_only(network)
    on = [module for module in network.modules() if module.training]
    assert [type(module) for module in on] == [dropout]
    network.eval()
    assert not any(module.training for module in network.modules())


def test_dropout_layers_of_the_built_in_network() -> None:
    network = build(config_of())
    dropout_only(network)
    on = [module for module in network.modules() if module.training]
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all(isinstance(module, nn.Dropout) for module in on)
    assert sum(module.p == 0.1 for module in on) >= 4  # the deep ones
    assert {module.p for module in on} <= {0.0, 0.1}
    assert norms
    assert not any(module.training for module in norms)


def test_dropout_is_on_in_training() -> None:
    network = build(config_of()).train()
    on = [module for module in network.modules() if isinstance(module, nn.Dropout)]
    assert on
    assert all(module.training for module in on)


# From a file


def test_model_of_a_checkpoint_predicts_the_same(tmp_path: Path) -> None:
    config = config_of(structures=2, channels=2, pixel_mm=1.5)
    with seeded(5):
        network = build(config)
    scan = noise((3, 17, 23), ALL, channels=2)
    save(tmp_path / "model.pt", network, config, {})
    model = SliceModel.from_checkpoint(tmp_path / "model.pt")
    assert model.config == config
    wanted = SliceModel(network, config).probabilities(scan)
    assert np.array_equal(model.probabilities(scan), wanted)
