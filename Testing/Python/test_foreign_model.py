"""Somebody else's 3-D network on our volumes: the same answers that MONAI's own steps give."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import sliding_window_inference
from monai.transforms import ScaleIntensityRange, Spacing
from torch import nn

from activeseg.cohort import open_cohort
from activeseg.errors import ModelError
from activeseg.keys import Plane
from activeseg.model import foreign
from activeseg.model.bundle import open_bundle
from activeseg.model.description import Description, Step
from activeseg.model.foreign import ForeignModel
from activeseg.model.frame import Frame
from activeseg.model.network import NetworkConfig
from activeseg.model.opened import Answers, Opened, try_out
from activeseg.model.scan import Scan
from activeseg.model.torchscript import open_torchscript
from activeseg.project.scans import scan_for
from tiny_bundle import (
    EDGES_HU,
    HIGH_HU,
    LOW_HU,
    POINTWISE,
    UNET,
    pointwise,
    unet,
    write_bundle,
    write_torchscript,
)
from tiny_cohort import write_tiny_cohort

CONFIG = NetworkConfig(image_channels=2, structures=(1, 4), pixel_mm=1.0, modality="ct")
SHAPE, SPACING = (9, 14, 11), (3.0, 1.3, 0.8)
PLAIN = Description("SPL", (None, None, None), (8, 8, 8), outputs=3)


def volume(shape=SHAPE, seed=0):
    return np.random.default_rng(seed).normal(size=(1, *shape)).astype(np.float32)


def scan_of(channels, spacing=SPACING):
    return Scan(channels, spacing, (Plane.AXIAL, Plane.CORONAL))


def model_of(network, description=PLAIN, channels=(1, 2), scripted=False):
    opened = Opened(network, description, "here", scripted)
    return ForeignModel(opened, try_out(opened), channels, CONFIG, "cpu")


def whole(shape):
    return tuple(slice(0, n) for n in shape)


class TestFrame:
    @pytest.mark.parametrize("axes", ["RAS", "LPS", "SPL", "PIR"])
    @pytest.mark.parametrize(
        "pixdim",
        [(1.0, 1.2, 2.5), (0.5, 2.0, 1.0), (None, 1.0, None), (1.5, 1.5, 1.5), (30.0, 30.0, 30.0)],
    )
    def test_the_grid_is_that_of_monai_there_and_back(self, axes, pixdim):
        frame = Frame.over(axes, pixdim, SHAPE, SPACING)
        image = torch.from_numpy(volume())
        turned = frame.turned(image)
        affine = np.diag([*(SPACING[axis] for axis in frame.order), 1.0])
        spacing = Spacing([0.0 if mm is None else mm for mm in pixdim])
        theirs = spacing(MetaTensor(turned.clone(), affine=torch.tensor(affine)))
        ours = frame.resampled(turned)
        assert tuple(ours.shape[1:]) == frame.shape == tuple(theirs.shape[1:])
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5)
        back = frame.back(ours, whole(frame.shape), whole(SHAPE))
        there = frame.turned(back)
        np.testing.assert_allclose(there.numpy(), spacing.inverse(theirs).numpy(), atol=1e-5)

    @pytest.mark.parametrize(("axes", "turn"), [("RAS", (2, 1, 0)), ("LPI", (2, 1, 0))])
    def test_axes_run_to_the_sides_of_their_letters(self, axes, turn):
        image = torch.from_numpy(volume())
        turned = Frame.over(axes, (None,) * 3, SHAPE, SPACING).turned(image)[0].numpy()
        wanted = image[0].numpy().transpose(turn)
        steps = {"RAS": np.s_[::-1, ::-1, :], "LPI": np.s_[:, :, ::-1]}
        np.testing.assert_array_equal(turned, wanted[steps[axes]])

    @pytest.mark.parametrize("least", [(1, 1, 1), (4, 4, 4), (99, 99, 99)])
    @pytest.mark.parametrize("pixdim", [(1.0, 1.2, 2.5), (2.5, 2.0, 4.0)])
    def test_a_part_is_enough_for_its_box(self, least, pixdim):
        frame = Frame.over("PIR", pixdim, SHAPE, SPACING)
        image = frame.resampled(frame.turned(torch.from_numpy(volume())))
        everything = frame.back(image, whole(frame.shape), whole(SHAPE))
        for box in (np.s_[2:5, 3:9, 0:4], np.s_[8:9, 13:14, 10:11], np.s_[0:1, 0:14, 0:11]):
            part = frame.around(box, least)
            for side, size, count in zip(part, least, frame.shape, strict=True):
                assert 0 <= side.start < side.stop <= count
                assert side.stop - side.start >= min(size, count)
            found = frame.back(image[(slice(None), *part)], part, box)
            np.testing.assert_allclose(found, everything[(slice(None), *box)], atol=1e-5)

    def test_letters_that_name_no_axes_are_refused(self):
        for axes in ("RAX", "RLS", "RA", ""):
            with pytest.raises(ModelError, match="expected three letters such as RAS"):
                Frame.over(axes, (None,) * 3, SHAPE, SPACING)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return open_cohort(write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort"))


def test_grey_values_reach_the_network_however_a_volume_is_stored(cohort, tmp_path):
    model = model_of(
        pointwise(),
        open_bundle(
            write_bundle(tmp_path / "b", pointwise(), POINTWISE), trusted=False
        ).description,
    )
    for each in cohort.volumes:
        found = model.probabilities(scan_for(model, cohort, each.id, "auto")).argmax(axis=0)
        image = each.geometry.to_canonical(cohort.read_image(each.id))
        np.testing.assert_array_equal(found, np.digitize(image, EDGES_HU))
        truth = each.geometry.to_canonical(cohort.read_label(each.id))
        assert (np.array([0, 1, 4])[found] == truth).mean() > 0.99


@pytest.mark.parametrize("blend", ["constant", "gaussian"])
def test_the_answer_is_that_of_the_bundles_own_steps(blend):
    """Spacing, intensity, sliding windows, softmax and the way back, by MONAI itself."""
    pixdim, network = (2.0, 1.0, 1.1), unet().eval()
    scaled = Step("ScaleIntensityRange", {"a_min": -1, "a_max": 2, "b_min": 0.0, "b_max": 1.0})
    description = replace(PLAIN, pixdim=pixdim, after=(scaled,), overlap=0.5, blend=blend)
    model = model_of(network, description)
    scan = scan_of(volume())
    spacing = Spacing(pixdim)
    image = spacing(
        MetaTensor(torch.from_numpy(scan.channels), affine=torch.tensor(np.diag([*SPACING, 1.0])))
    )
    image = ScaleIntensityRange(**scaled.options)(image)
    with torch.inference_mode():
        logits = sliding_window_inference(
            image[None].as_tensor(), (8, 8, 8), 4, network, 0.5, mode=blend
        )
    image.set_array(logits[0].softmax(dim=0))
    wanted = spacing.inverse(image).numpy()
    view = next(model.views(scan))
    assert view.plane is None
    np.testing.assert_allclose(view.softmax, wanted, atol=1e-5)
    np.testing.assert_array_equal(model.probabilities(scan), view.softmax)


def test_what_is_scaled_before_resampling_is_scaled_before():
    """Of [0, 3] with half a step between: threshold and interpolation do not commute."""
    step = Step("ThresholdIntensity", {"threshold": 2.0, "above": False, "cval": 0.0})
    ramp = np.zeros((1, 3, 1, 1), np.float32)
    ramp[0, :, 0, 0] = (0.0, 1.0, 5.0)
    network = nn.Conv3d(1, 3, 1)
    for name, wanted in (("before", [0, 0.5, 1, 0.5, 0]), ("after", [0, 0.5, 1, 0, 0])):
        description = replace(PLAIN, pixdim=(0.5, None, None), **{name: (step,)})
        model = model_of(network, description)
        shown = model.show(scan_of(ramp, (1.0, 1.0, 1.0)))
        assert shown.image[0, :, 0, 0].tolist() == pytest.approx(wanted)


def test_outputs_without_a_structure_are_one_background():
    network = nn.Conv3d(1, 5, 1)
    scan = scan_of(volume())
    logits = network(torch.from_numpy(scan.channels)[None])[0]
    softmax = logits.softmax(dim=0).detach().numpy()
    found = model_of(network, replace(PLAIN, outputs=5), channels=(4, 2)).probabilities(scan)
    wanted = [softmax[[0, 1, 3]].sum(axis=0), softmax[4], softmax[2]]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_energy_is_that_of_the_logits():
    network, scan = nn.Conv3d(1, 3, 1), scan_of(volume())
    logits = network(torch.from_numpy(scan.channels)[None])[0].detach().numpy()
    view = next(model_of(network).views(scan))
    np.testing.assert_allclose(view.energy, -np.log(np.exp(logits).sum(axis=0)), atol=1e-5)


def test_probabilities_are_taken_as_they_are_and_have_no_energy():
    network, scan = nn.Conv3d(1, 3, 1), scan_of(volume())
    plain = next(model_of(network).views(scan))
    view = next(model_of(nn.Sequential(network, nn.Softmax(dim=1))).views(scan))
    np.testing.assert_allclose(view.softmax, plain.softmax, atol=1e-4)
    assert view.energy is None


def test_one_output_is_the_logit_of_the_one_structure():
    network, scan = nn.Conv3d(1, 1, 1), scan_of(volume())
    logit = network(torch.from_numpy(scan.channels)[None])[0].detach()
    for each in (network, nn.Sequential(network, nn.Sigmoid())):
        opened = Opened(each, replace(PLAIN, outputs=1, binary=True), "here", scripted=False)
        answers = try_out(opened)
        assert answers == Answers(1, probabilities=each is not network)
        found = ForeignModel(opened, answers, (0,), CONFIG, "cpu").probabilities(scan)
        np.testing.assert_allclose(found[1], logit.sigmoid()[0].numpy(), atol=1e-4)
        np.testing.assert_allclose(found.sum(axis=0), 1.0, atol=1e-5)


class TestSamples:
    BOX = np.s_[2:6, 3:10, 1:8]

    def test_dropout_makes_them_differ_and_the_seed_repeats_them(self):
        model, scan = model_of(unet()), scan_of(volume())
        assert model.sources == {"dropout", "full-dropout", "augmented"}
        first = list(model.samples(scan, 3, 5, self.BOX))
        assert all(sample.shape == (3, 4, 7, 7) for sample in first)
        assert all(not np.allclose(a, b) for a, b in pairwise(first))
        again = list(model.samples(scan, 3, 5, self.BOX))
        np.testing.assert_array_equal(first, again)
        # Afterwards it answers without chance, and batch norm is as it came.
        np.testing.assert_array_equal(model.probabilities(scan), model.probabilities(scan))

    def test_batch_norm_is_left_alone(self):
        model, scan = model_of(unet()), scan_of(volume())
        before = {name: value.clone() for name, value in model.network.state_dict().items()}
        list(model.samples(scan, 2, 5, self.BOX))
        for name, value in model.network.state_dict().items():
            assert torch.equal(before[name], value), name

    @pytest.mark.parametrize("network", [unet(dropout=0.0), nn.Conv3d(1, 3, 1)])
    def test_without_dropout_there_is_augmentation_alone(self, network):
        assert model_of(network).sources == {"augmented"}

    def test_a_traced_network_has_lost_its_dropout_a_scripted_one_has_not(self, tmp_path):
        network = nn.Sequential(nn.Conv3d(1, 4, 1), nn.Dropout(0.5), nn.Conv3d(4, 3, 1))
        for name, traced, sources in (
            ("traced", True, {"augmented"}),
            ("scripted", False, {"augmented", "dropout", "full-dropout"}),
        ):
            opened = open_torchscript(write_torchscript(tmp_path / f"{name}.ts", network, traced))
            model = ForeignModel(opened, try_out(opened), (1, 2), CONFIG, "cpu")
            assert model.sources == sources, name

    def test_augmentation_is_undone(self, monkeypatch):
        """Moved and moved back, the answer of a network that looks at one voxel is the same."""
        monkeypatch.setattr(foreign, "MOST_SCALED", 0.0)
        model, scan = model_of(nn.Conv3d(1, 3, 1)), scan_of(volume((20, 20, 20)))
        box = np.s_[6:12, 6:12, 6:12]
        plain = model.probabilities(scan)[(slice(None), *box)]
        for sample in model.augmented(scan, 4, 1, box):
            np.testing.assert_allclose(sample, plain, atol=1e-5)

    def test_augmentation_changes_grey_values_and_repeats_with_the_seed(self):
        model, scan = model_of(nn.Conv3d(1, 3, 1)), scan_of(volume())
        first = list(model.augmented(scan, 3, 5, self.BOX))
        assert all(not np.allclose(a, b) for a, b in pairwise(first))
        np.testing.assert_array_equal(first, list(model.augmented(scan, 3, 5, self.BOX)))
        other = next(model.augmented(scan, 1, 6, self.BOX))
        assert not np.allclose(other, first[0])

    def test_a_part_without_chance_is_the_whole_answer_there(self):
        model, scan = model_of(nn.Conv3d(1, 3, 1)), scan_of(volume())
        plain = model.probabilities(scan)[(slice(None), *self.BOX)]
        part = model.part(model.show(scan), self.BOX).softmax(dim=0)
        np.testing.assert_allclose(part.numpy(), plain, atol=1e-5)
        (member,) = model.snapshots(scan, self.BOX)
        np.testing.assert_allclose(member, plain, atol=1e-5)
        assert [len(view.sides) for view in model.views(scan)] == [0]


@pytest.mark.parametrize(
    ("network", "description", "match"),
    [
        (nn.Conv3d(2, 3, 1), PLAIN, "does not take one image channel in a window of 8 x 8 x 8"),
        (nn.Conv3d(1, 4, 1), PLAIN, "has 4 output channels, its metadata says 3"),
        (nn.Conv3d(1, 3, 3), PLAIN, "answers 1 x 3 x 6 x 6 x 6; expected one map of that size"),
        (nn.Conv3d(1, 3, 1), replace(PLAIN, binary=True), "its 3 outputs overlap .sigmoid"),
    ],
)
def test_networks_that_answer_otherwise_are_refused(network, description, match):
    with pytest.raises(ModelError, match=match) as caught:
        try_out(Opened(network, description, "here", scripted=False))
    assert "\n" not in str(caught.value)


def test_a_bundle_of_a_unet_answers_as_the_network_it_was_made_of(cohort, tmp_path):
    network = unet(seed=3).eval()
    opened = open_bundle(write_bundle(tmp_path / "b", network, UNET), trusted=False)
    model = model_of(opened.network, opened.description)
    scan = scan_for(model, cohort, "v00", "auto")
    image = torch.from_numpy(np.clip((scan.channels - LOW_HU) / (HIGH_HU - LOW_HU), 0, 1))
    image = image.permute(0, 3, 2, 1).flip([1, 2])
    with torch.inference_mode():
        logits = sliding_window_inference(image[None], (16, 16, 16), 4, network, 0.5)[0]
    wanted = logits.softmax(dim=0).flip([1, 2]).permute(0, 3, 2, 1)
    np.testing.assert_allclose(model.probabilities(scan), wanted.numpy(), atol=1e-5)
