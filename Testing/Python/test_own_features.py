"""Features from a network of the user's own: what it holds at its bottleneck, slice by slice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from activeseg.cli import main
from activeseg.cohort import Cohort, Geometry, open_cohort
from activeseg.errors import ModelError
from activeseg.keys import Plane
from activeseg.model.bottleneck import SliceNetwork, bottleneck
from activeseg.model.network import NetworkConfig, build, save, seeded
from activeseg.model.scan import Scan
from activeseg.progress import Silent
from activeseg.project.feature_cache import FeatureCache
from activeseg.project.feature_source import FROZEN, FeatureSource, network_features
from activeseg.project.pool_features import Look, Looking, VolumeFeatures, features_of_volume
from activeseg.worklist.choice import WorklistRequest, choose_worklist
from small_cohort import IDENTITY
from tiny_bundle import (
    HIGH_HU,
    LOW_HU,
    POINTWISE,
    UNET,
    change,
    pointwise,
    unet,
    write_bundle,
    write_torchscript,
)
from tiny_cohort import write_tiny_cohort

CELL = 4


class Blocks(nn.Module):
    """At its bottleneck the mean grey value of each cube of 4 voxels, and 0.5 less twice that."""

    def __init__(self) -> None:
        super().__init__()
        self.smaller = nn.AvgPool3d(CELL)
        self.mix = nn.Conv3d(1, 2, 1)
        self.larger = nn.Upsample(scale_factor=CELL)
        self.out = nn.Conv3d(2, 3, 1)
        with torch.no_grad():
            self.mix.weight.copy_(torch.tensor([1.0, -2.0]).reshape(2, 1, 1, 1, 1))
            self.mix.bias.copy_(torch.tensor([0.0, 0.5]))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.out(self.larger(self.mix(self.smaller(image))))


def write_blocks(folder: Path, window: int = 8) -> Path:
    """As a TorchScript file that is shown Hounsfield units from 0 to 1, in windows."""
    file = write_torchscript(folder / "blocks.ts", Blocks(), traced=False)
    change(file.with_suffix(".json"), "inferer/roi_size", [window] * 3)
    return file


def write_image_of(folder: Path, canonical: np.ndarray) -> Cohort:
    """A cohort of one CT of 1 mm, given as `[S, P, L]` from 0 to 1 of the network's range."""
    from activeseg.cohort import write_image

    shape = canonical.shape[::-1]
    geometry = Geometry(shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY)
    assert geometry.canonical_shape == canonical.shape
    (folder / "images").mkdir(parents=True)
    hounsfield = LOW_HU + canonical * (HIGH_HU - LOW_HU)
    pixels = np.ascontiguousarray(geometry.from_canonical(hounsfield.astype(np.float32)))
    write_image(folder / "images" / "v.nii.gz", pixels, geometry)
    described = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1}}
    (folder / "dataset.json").write_text(json.dumps(described))
    return open_cohort(folder)


def look_at(cohort: Cohort, planes: str, looking: Looking, volume: str) -> VolumeFeatures:
    return features_of_volume(Look(cohort, planes, volume, looking))


def features(source: FeatureSource, cohort: Cohort) -> dict[Plane, np.ndarray]:
    looking = Looking(source, screening=False)
    return dict(look_at(cohort, "all", looking, cohort.volumes[0].id).features)


def blocks_of(grey: np.ndarray) -> np.ndarray:
    """What `Blocks` holds for slices of one grey value each, by hand: `[slices, 2]`."""
    cells = grey.reshape(-1, CELL).mean(axis=1)
    middles = np.arange(len(cells)) * CELL + (CELL - 1) / 2
    between = np.interp(np.arange(len(grey)), middles, cells)
    return np.stack([between, 0.5 - 2 * between], axis=1)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("window", [8, 16])
def test_features_are_the_networks_own_at_the_slices_place(
    tmp_path: Path, axis: int, window: int
) -> None:
    """A volume that differs along one axis; the network's own axes run against two of them."""
    grey = np.random.default_rng(axis).uniform(0.1, 0.9, 16)
    turned = np.moveaxis(np.broadcast_to(grey[:, None, None], (16, 16, 16)), 0, axis)
    cohort = write_image_of(tmp_path / "c", turned)
    source = network_features(str(write_blocks(tmp_path, window)), cohort, trusted=True)
    found = features(source, cohort)
    for plane, own in zip((Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL), range(3), strict=True):
        expected = blocks_of(grey)
        if own != axis:  # every slice shows all of it
            mean = grey.mean()
            expected = np.broadcast_to([mean, 0.5 - 2 * mean], (16, 2))
        elif window == 8:  # the two windows meet in the middle, each with its own cells
            expected = np.concatenate([blocks_of(grey[:8]), blocks_of(grey[8:])])
        assert found[plane] == pytest.approx(expected, abs=1e-4)


def test_what_pads_a_small_volume_is_none_of_its_features(tmp_path: Path) -> None:
    cohort = write_image_of(tmp_path / "c", np.full((8, 24, 16), 0.6))
    source = network_features(str(write_blocks(tmp_path, 16)), cohort, trusted=True)
    for each in features(source, cohort).values():
        assert each == pytest.approx(np.broadcast_to([0.6, -0.7], (len(each), 2)), abs=1e-4)


def test_a_bundle_gives_what_the_same_network_gives_as_torchscript(tmp_path: Path) -> None:
    cohort = open_cohort(write_tiny_cohort(tmp_path / "tiny", volumes=2))
    network = unet(seed=3)
    bundle = write_bundle(tmp_path / "bundle", network, UNET)
    script = write_torchscript(tmp_path / "net.ts", network)
    one = features(network_features(str(bundle), cohort, trusted=False), cohort)
    other = features(network_features(str(script), cohort, trusted=True), cohort)
    for plane, each in one.items():
        assert each.shape[1] == 8  # the channels of its deepest layer, none of the skip connection
        assert each == pytest.approx(other[plane], abs=1e-5)
    assert len(np.unique(one[Plane.AXIAL], axis=0)) > 1


class Rows(nn.Module):
    """Of each slice, at its bottleneck the means of 8 x 8 pixels of the slice itself."""

    def __init__(self) -> None:
        super().__init__()
        self.smaller = nn.AvgPool2d(8)
        self.larger = nn.Upsample(scale_factor=8)
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.larger(self.smaller(image[:, 1:2] * self.weight))


def test_a_network_of_slices_is_asked_slice_by_slice() -> None:
    values = np.random.default_rng(0).normal(size=(1, 6, 16, 24)).astype(np.float32)
    scan = Scan(values, (1.0, 1.0, 1.0), (Plane.AXIAL,))
    config = NetworkConfig(image_channels=1, structures=(1,), pixel_mm=1.0, modality="mr")
    found = SliceNetwork(Rows().eval(), config, "here").bottlenecks(scan, Plane.AXIAL)
    assert found == pytest.approx(values[0].mean(axis=(1, 2))[:, None], abs=1e-5)


def test_padding_of_a_slice_is_none_of_its_features() -> None:
    values = np.zeros((1, 2, 8, 12), dtype=np.float32)
    values[0, 1, :, 8:] = 4.0  # repeated to 16 columns by padding, and 8 rows to 16
    scan = Scan(values, (1.0, 1.0, 1.0), (Plane.AXIAL,))
    config = NetworkConfig(image_channels=1, structures=(1,), pixel_mm=1.0, modality="mr")
    found = SliceNetwork(Rows().eval(), config, "here").bottlenecks(scan, Plane.AXIAL)
    # The second column of cells has its middle at 12, where the slice ends.
    assert found.tolist() == [[0.0], [0.0]]


def test_means_of_everything_and_skip_connections_are_no_bottleneck() -> None:
    class Squeezed(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            small = nn.functional.avg_pool2d(image, 4)
            weight = nn.functional.adaptive_avg_pool2d(small, 1)
            small = small * weight
            both = torch.cat([small, small], dim=1)
            return nn.functional.interpolate(both, scale_factor=4.0)

    image = torch.rand(2, 3, 16, 16)
    found = bottleneck(Squeezed(), image, "here")
    small = nn.functional.avg_pool2d(image, 4)
    assert torch.allclose(found, small * small.mean(dim=(2, 3), keepdim=True))


def test_the_checkpoint_of_a_project(tmp_path: Path) -> None:
    cohort = open_cohort(write_tiny_cohort(tmp_path / "tiny", volumes=2))
    with seeded(0):
        network = build(NetworkConfig(2, (1, 4), 1.0, "ct"))
    save(tmp_path / "model.pt", network, NetworkConfig(2, (1, 4), 1.0, "ct"), {})
    source = network_features(str(tmp_path / "model.pt"), cohort, trusted=False)
    found = features(source, cohort)
    assert {each.shape[1] for each in found.values()} == {128}
    assert source.facts()["kind"] == "checkpoint"
    with seeded(1):
        other = build(NetworkConfig(2, (1, 4), 1.0, "ct"))
    save(tmp_path / "other.pt", other, NetworkConfig(2, (1, 4), 1.0, "ct"), {})
    second = network_features(str(tmp_path / "other.pt"), cohort, trusted=False)
    assert not np.allclose(features(second, cohort)[Plane.AXIAL], found[Plane.AXIAL])


class TestRefusals:
    @pytest.fixture
    def cohort(self, tmp_path: Path) -> Cohort:
        return open_cohort(write_tiny_cohort(tmp_path / "tiny", volumes=1))

    def refused(self, match: str, model: Path | str, cohort: Cohort, trusted: bool) -> None:
        with pytest.raises(ModelError, match=match) as caught:
            network_features(str(model), cohort, trusted)
        assert "\n" not in str(caught.value)

    def test_what_is_no_model(self, tmp_path: Path, cohort: Cohort) -> None:
        self.refused("no model", tmp_path / "none", cohort, False)
        self.refused("fresh weights have learned nothing", "unet25d", cohort, False)
        self.refused("no MONAI bundle", cohort.root, cohort, False)
        (tmp_path / "text.pt").write_text("nothing")
        self.refused("not a readable checkpoint", tmp_path / "text.pt", cohort, False)

    def test_code_needs_consent_and_a_checkpoint_has_none(
        self, tmp_path: Path, cohort: Cohort
    ) -> None:
        self.refused("a TorchScript file, which is code", write_blocks(tmp_path), cohort, False)
        config = NetworkConfig(1, (1,), 1.0, "mr")
        save(tmp_path / "mr.pt", build(config), config, {})
        self.refused("--trust-code is for", tmp_path / "mr.pt", cohort, True)

    def test_scans_of_another_kind(self, tmp_path: Path, cohort: Cohort) -> None:
        config = NetworkConfig(1, (1,), 1.0, "mr")
        save(tmp_path / "mr.pt", build(config), config, {})
        self.refused("made for MR, this cohort is CT", tmp_path / "mr.pt", cohort, False)
        file = write_blocks(tmp_path)
        change(file.with_suffix(".json"), "network_data_format/inputs/image/modality", "MR")
        self.refused("made for MR, this cohort is CT", file, cohort, True)

    def test_a_network_without_a_bottleneck(self, tmp_path: Path, cohort: Cohort) -> None:
        bundle = write_bundle(tmp_path / "flat", pointwise(), POINTWISE)
        self.refused("no bottleneck", bundle, cohort, False)

    def test_a_network_that_changes_meanwhile(self, tmp_path: Path, cohort: Cohort) -> None:
        bundle = write_bundle(tmp_path / "b", unet(), UNET)
        source = network_features(str(bundle), cohort, trusted=False)
        torch.save({"model": unet(seed=1).state_dict()}, bundle / "models/model.pt")
        with pytest.raises(ModelError, match="was changed while it was in use"):
            features(source, cohort)


def test_each_network_has_its_own_place_in_the_cache(tmp_path: Path) -> None:
    cohort = open_cohort(write_tiny_cohort(tmp_path / "tiny", volumes=1))
    cache = FeatureCache(tmp_path / "cache")
    sources = [FROZEN]
    for seed in (0, 1):
        bundle = write_bundle(tmp_path / f"b{seed}", unet(seed), UNET)
        sources.append(network_features(str(bundle), cohort, trusted=False))
    for source in (*sources, *sources):
        found = look_at(cohort, "auto", Looking(source, True, cache), "v00")
        bare = look_at(cohort, "auto", Looking(source, True), "v00")
        for plane, each in bare.features.items():
            assert np.array_equal(each, found.features[plane])
        assert found.measured is not None
        assert bare.measured is not None
        assert found.measured.look == bare.measured.look  # always by the frozen filters
    kinds = sorted(file.name.partition("-")[0] for file in cache.folder.iterdir())
    assert kinds == ["screening", "slices", "slices", "slices"]


def test_select_says_which_features_it_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_tiny_cohort(tmp_path / "tiny", volumes=3)
    script = write_blocks(tmp_path)
    words = ["select", str(folder), "--minutes", "4", "-o", str(tmp_path / "list.json")]
    words += ["--progress", "none"]
    assert main([*words, "--features", str(script)]) == 2
    assert "--trust-code" in capsys.readouterr().err
    assert not (tmp_path / "list.json").exists()
    assert main([*words, "--trust-code"]) == 2
    assert "--trust-code is for --features" in capsys.readouterr().err
    assert main([*words, "--features", str(script), "--trust-code"]) == 0
    assert f"features from {script}" in capsys.readouterr().out.splitlines()
    kept = json.loads((tmp_path / "list.json").read_text())["features"]
    assert kept["kind"] == "torchscript"
    assert kept["path"] == str(script)
    assert set(kept["files"]) == {"blocks.ts", "blocks.json"}
    assert main(words) == 0
    kept = json.loads((tmp_path / "list.json").read_text())["features"]
    assert kept == {"kind": "frozen", "recipe": 1}


def test_the_choice_is_made_by_them(tmp_path: Path) -> None:
    """The map of the slices has as many points, and other ones."""
    folder = write_tiny_cohort(tmp_path / "tiny", volumes=3)
    request = WorklistRequest(folder, 4.0)
    own = WorklistRequest(folder, 4.0, features=str(write_blocks(tmp_path)), trusted=True)
    frozen, found = (choose_worklist(each, Silent()) for each in (request, own))
    assert found.source.start is not None
    assert frozen.map_points.shape == found.map_points.shape
    assert not np.allclose(frozen.map_points, found.map_points)
    assert found.suggestions
