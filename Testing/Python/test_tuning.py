"""Tuning a foreign network: loss on annotated slices alone, what is trained, what comes of it."""

from __future__ import annotations

from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

from activeseg.errors import ModelError
from activeseg.keys import Plane
from activeseg.model import windows as module
from activeseg.model.decoder import decoder, only
from activeseg.model.description import Description
from activeseg.model.foreign import ForeignModel
from activeseg.model.network import NetworkConfig
from activeseg.model.opened import Opened, try_out
from activeseg.model.scan import Scan, axis_of
from activeseg.model.torchscript import open_torchscript
from activeseg.model.tuning import Tuning, tune
from activeseg.model.windows import Lesson, Taught
from activeseg.progress import Progress, Silent, Stage
from tiny_bundle import unet, write_torchscript

CONFIG = NetworkConfig(image_channels=2, structures=(1, 4), pixel_mm=1.0, modality="ct")
SHAPE, SPACING = (9, 14, 11), (3.0, 1.3, 0.8)
PLAIN = Description("SPL", (None, None, None), (8, 8, 8), outputs=3)
SILENT = Silent()
PLANES = (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)


def model_of(network, description=PLAIN):
    opened = Opened(network, description, "here", scripted=False)
    return ForeignModel(opened, try_out(opened), (1, 2), CONFIG, "cpu")


def label(shape=SHAPE, seed=0):
    return np.random.default_rng(seed).integers(0, 3, shape).astype(np.uint8)


def taught(model, image, truth, slices, spacing=SPACING):
    """A volume with annotated slices `(plane, index)`."""
    shown = model.show(Scan(image, spacing, PLANES))
    lessons = [
        Lesson.of(plane, index, truth.take(index, axis_of(plane))) for plane, index in slices
    ]
    return Taught.of(shown, lessons)


def bright(seed=0):
    """An image in which the classes are three grey values, and those classes."""
    truth = np.zeros((16, 16, 16), np.uint8)
    truth[2:10, 3:9, 3:12], truth[9:14, 9:15, 4:9] = 1, 2
    noise = np.random.default_rng(seed).normal(0, 0.1, truth.shape)
    return (truth + noise).astype(np.float32)[None], truth


class TestWindows:
    @pytest.mark.parametrize("axes", ["SPL", "RAS", "PIR"])
    @pytest.mark.parametrize("pixdim", [(None,) * 3, (1.7, 1.1, 1.9), (4.0, 0.9, 2.0)])
    @pytest.mark.parametrize("window", [(8, 8, 8), (16, 16, 16), (4, 8, 6)])
    def test_answers_are_compared_at_the_very_pixels_of_the_slices(self, axes, pixdim, window):
        """Maps that say where they are, and labels that do: each pixel is asked about itself."""
        description = replace(PLAIN, axes=axes, pixdim=pixdim, window=window)
        model = model_of(nn.Conv3d(1, 3, 1), description)
        where = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij")).astype(np.float32)
        number = np.arange(np.prod(SHAPE)).reshape(SHAPE)
        slices = [(Plane.AXIAL, 4), (Plane.CORONAL, 7), (Plane.SAGITTAL, 2), (Plane.AXIAL, 8)]
        volume = taught(model, where[:1], number, slices)
        frame = volume.shown.frame
        maps = frame.resampled(frame.turned(torch.from_numpy(where)))
        whole = [tuple(slice(0, n) for n in shape) for shape in (frame.shape, SHAPE)]
        wanted = frame.back(maps, *whole).reshape(3, -1)
        draw = module.Windows([volume], window, np.random.default_rng(1))
        seen = set()
        for _ in range(12):
            found = draw.window()
            part = maps[(slice(None), *map(module._run, found.start, found.extent))]
            far = [w - e - n for w, e, n in zip(window, found.extent, found.lead, strict=True)]
            pads = [n for pair in zip(found.lead[::-1], far[::-1], strict=True) for n in pair]
            padded = nn.functional.pad(part, pads, value=-99.0)
            assert tuple(found.image.shape) == (1, *window)
            for places, labels in found.at_slices(padded):
                assert places.shape[1:] == labels.shape
                torch.testing.assert_close(places.flatten(1), wanted[:, labels.flatten()])
                seen |= set(labels.flatten().tolist())
        assert len(seen) > 100

    def test_the_window_holds_a_slice_and_every_class_is_drawn_alike(self):
        model = model_of(nn.Conv3d(1, 3, 1))
        truth = np.zeros(SHAPE, np.uint8)
        truth[4, 5, 5] = 2  # one pixel of one slice
        image = np.zeros((1, *SHAPE), np.float32)
        volume = taught(model, image, truth, [(Plane.AXIAL, k) for k in range(9)])
        draw = module.Windows([volume], (8, 8, 8), np.random.default_rng(0))
        shows = 0
        for _ in range(200):
            window = draw.window()
            labels = [each for _, each in window.at_slices(torch.zeros(3, 8, 8, 8))]
            assert labels
            shows += any((each == 2).any() for each in labels)
        assert shows >= 80  # half of the draws, and some of the others by chance

    def test_what_nobody_annotated_teaches_nothing(self):
        """The answer beside a slice has no gradient."""
        model = model_of(nn.Conv3d(1, 3, 1))
        image = np.random.default_rng(0).normal(size=(1, 8, 8, 8)).astype(np.float32)
        volume = taught(model, image, label((8, 8, 8)), [(Plane.AXIAL, 3)], (1.0, 1.0, 1.0))
        window = module.Windows([volume], (8, 8, 8), np.random.default_rng(0)).window()
        logits = torch.zeros((3, 8, 8, 8), requires_grad=True)
        ((found, _),) = window.at_slices(logits)
        found.sum().backward()
        assert logits.grad is not None
        touched = logits.grad.abs().sum(dim=(0, 2, 3))
        assert torch.nonzero(touched).flatten().tolist() == [3]


class TestLearning:
    TUNING = Tuning(steps=60, batch=2, learning_rate=3e-2)

    def run(self, network, tuning=TUNING, seed=0, progress=SILENT):
        description = replace(PLAIN, window=(16, 16, 16))
        model = model_of(network, description)
        image, truth = bright()
        volume = taught(model, image, truth, [(Plane.AXIAL, 5), (Plane.CORONAL, 11)], (1.0,) * 3)
        return model, tune(model, [volume], tuning, seed, progress)

    def test_two_slices_teach_the_whole_volume(self):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = nn.Sequential(nn.Conv3d(1, 8, 1), nn.ReLU(), nn.Conv3d(8, 3, 1))
        model, trained = self.run(network)
        image, truth = bright(3)
        found = model.probabilities(Scan(image, (1.0,) * 3, PLANES)).argmax(axis=0)
        for value in (1, 2):
            both = ((found == value) & (truth == value)).sum()
            assert 2 * both / ((found == value).sum() + (truth == value).sum()) > 0.8
        assert [record["step"] for record in trained.log] == [48, 54, 60]
        assert not trained.network.training

    def test_it_repeats_with_the_seed(self):
        short = replace(self.TUNING, steps=4)
        runs = [self.run(unet(seed=1), short, seed)[1].network.state_dict() for seed in (0, 0, 1)]
        assert all(torch.equal(runs[0][name], value) for name, value in runs[1].items())
        assert any(not torch.equal(runs[0][name], value) for name, value in runs[2].items())

    def test_the_weights_are_those_of_the_last_step(self):
        network, after = unet(seed=1), []

        class Keeping(Progress):
            @contextmanager
            def stage(self, name, total):
                yield Stage(name, total, lambda _: after.append(deepcopy(network.state_dict())))

        def same(first, second):
            return all(torch.equal(first[name], value) for name, value in second.items())

        short = replace(self.TUNING, steps=4)
        _, trained = self.run(network, short, progress=Keeping())
        assert len(after) == 1 + 4
        assert not any(same(before, after[-1]) for before in after[:-1])
        assert same(trained.network.state_dict(), after[-1])

    def test_batch_norm_keeps_its_statistics(self):
        before = {n: v.clone() for n, v in unet(seed=1).state_dict().items()}
        _, trained = self.run(unet(seed=1), replace(self.TUNING, steps=3))
        for name, value in trained.network.state_dict().items():
            if "running" in name or "num_batches" in name:
                assert torch.equal(value, before[name]), name
            else:
                assert not torch.equal(value, before[name]), name

    def test_the_decoder_alone_changes(self):
        network = unet(seed=1)
        before = {name: value.clone() for name, value in network.named_parameters()}
        up = {name for name in before if name.startswith("model.2.")}
        assert 0 < len(up) < len(before)
        _, trained = self.run(network, replace(self.TUNING, steps=3, part="decoder"))
        changed = {
            name
            for name, value in trained.network.named_parameters()
            if not torch.equal(value, before[name])
        }
        assert changed == up

    def test_torchscript_learns_too_but_has_no_parts(self, tmp_path):
        file = write_torchscript(tmp_path / "net.ts", unet(seed=1, dropout=0.0))
        description = open_torchscript(file).description
        before = open_torchscript(file).network.state_dict()
        image, truth = bright()
        for part in ("all", "decoder"):
            opened = Opened(open_torchscript(file).network, description, "here", scripted=True)
            model = ForeignModel(opened, try_out(opened), (1, 2), CONFIG, "cpu")
            volume = taught(model, image, truth, [(Plane.AXIAL, 5)], (1.0,) * 3)
            tuning = Tuning(steps=2, part=part)
            if part == "decoder":
                with pytest.raises(ModelError, match="train with --tune all"):
                    tune(model, [volume], tuning, 0, SILENT)
                continue
            found = tune(model, [volume], tuning, 0, SILENT).network.state_dict()
            assert any(not torch.equal(found[name], value) for name, value in before.items())

    def test_nothing_to_learn_from_is_refused(self):
        model = model_of(unet())
        image, truth = bright()
        with pytest.raises(ModelError, match="no annotated slice to learn from"):
            tune(model, [taught(model, image, truth, [])], Tuning(), 0, SILENT)


class TestDecoder:
    def names(self, network, image):
        network.eval()
        found = {id(each) for each in decoder(network, image.ndim - 2, lambda: network(image))}
        return [name for name, each in network.named_modules() if id(each) in found]

    def test_what_runs_after_the_smallest_map(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.last = nn.Conv3d(4, 2, 1)  # first by name, last to run
                self.down = nn.Conv3d(1, 4, 2, stride=2)
                self.deep = nn.Conv3d(4, 4, 1)
                self.up = nn.Upsample(scale_factor=2)

            def forward(self, image):
                return self.last(self.up(self.deep(self.down(image))))

        assert self.names(Net(), torch.zeros(1, 1, 8, 8, 8)) == ["last"]

    def test_of_a_unet_it_is_the_way_up(self):
        network = UNet(3, 1, 2, channels=(2, 4, 8), strides=(2, 2), num_res_units=0)
        found = self.names(network, torch.zeros(1, 1, 8, 8, 8))
        assert found
        assert all(name.startswith(("model.2.", "model.1.submodule.2.")) for name in found)

    @pytest.mark.parametrize(
        ("network", "match"),
        [
            (nn.Sequential(nn.Conv3d(1, 2, 1), nn.Conv3d(2, 2, 1)), "has no bottleneck"),
            (nn.Sequential(nn.Conv3d(1, 2, 2, stride=2), nn.Upsample(scale_factor=2)), "nothing"),
            (nn.Flatten(), "has no bottleneck"),
        ],
    )
    def test_networks_without_one_are_refused(self, network, match):
        with pytest.raises(ModelError, match=match):
            self.names(network, torch.zeros(1, 1, 8, 8, 8))

    def test_only_the_given_layers_keep_gradients(self):
        network = nn.Sequential(nn.Conv3d(1, 2, 1), nn.Conv3d(2, 2, 1))
        only(network, [network[1]])
        kept = [name for name, each in network.named_parameters() if each.requires_grad]
        assert kept == ["1.weight", "1.bias"]
