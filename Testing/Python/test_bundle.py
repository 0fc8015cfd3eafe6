"""Reading bundles and TorchScript files: what is understood, what is refused, what never runs."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from activeseg.errors import ModelError
from activeseg.model.bundle import bundle_files, is_bundle, open_bundle
from activeseg.model.description import Step
from activeseg.model.opened import Answers, Opened, check_fit, output_channels
from activeseg.model.torchscript import is_torchscript, open_torchscript, torchscript_files
from activeseg.model.words import Words
from tiny_bundle import (
    METADATA,
    POINTWISE,
    UNET,
    change,
    inference,
    pointwise,
    unet,
    write,
    write_bundle,
    write_torchscript,
)

INFERENCE = "configs/inference.json"


@pytest.fixture
def bundle(tmp_path):
    return write_bundle(tmp_path / "bundle", pointwise(), POINTWISE, [2.0, 1.5, 0])


def refused(match, call, *arguments, **options):
    with pytest.raises(ModelError, match=match) as caught:
        call(*arguments, **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_what_a_bundle_says(bundle):
    opened = open_bundle(bundle, trusted=False)
    found = opened.description
    assert (found.axes, found.pixdim, found.window) == ("RAS", (2.0, 1.5, None), (16, 16, 16))
    assert (found.overlap, found.blend, found.binary) == (0.5, "constant", False)
    assert (found.names, found.outputs, found.modality) == (
        {0: "background", 1: "Liver", 2: "spleen"},
        3,
        "CT",
    )
    assert found.before == ()
    options = {"a_min": -160.0, "a_max": 240.0, "b_min": 0, "b_max": 1, "clip": True}
    assert found.after == (Step("ScaleIntensityRange", options),)
    assert torch.equal(opened.network.weight, pointwise().weight)
    assert not opened.scripted


def test_yaml_is_read_too(bundle):
    pytest.importorskip("yaml", reason="MONAI reads YAML where PyYAML is installed")
    file = bundle / INFERENCE
    file.rename(file.with_suffix(".yaml"))  # JSON is YAML
    assert open_bundle(bundle, trusted=False).description.axes == "RAS"
    file.with_suffix(".yaml").write_text("network_def: [")
    refused("inference.yaml: cannot be read", open_bundle, bundle, trusted=False)


@pytest.mark.parametrize("key", ["model", "state_dict", None])
def test_weights_are_found_under_the_usual_names(bundle, key):
    weights = {f"module.{name}": value for name, value in pointwise().state_dict().items()}
    torch.save(weights if key is None else {key: weights, "epoch": 3}, bundle / "models/model.pt")
    assert torch.equal(open_bundle(bundle, trusted=False).network.weight, pointwise().weight)


def test_a_network_of_monai_is_built_by_any_of_its_names(tmp_path):
    for number, name in enumerate(
        ("UNet", "monai.networks.nets.UNet", "monai.networks.nets.unet.UNet")
    ):
        folder = write_bundle(tmp_path / str(number), unet(), UNET | {"_target_": name})
        assert type(open_bundle(folder, trusted=False).network).__name__ == "UNet"


@pytest.mark.parametrize(
    ("place", "value", "match"),
    [
        ("preprocessing/transforms/2/axcodes", 3, "Orientation .* is not understood"),
        ("preprocessing/transforms/2/labels", [["I", "S"]] * 3, "Orientation .* is not understood"),
        ("preprocessing/transforms/2/axcodes", "RAX", "expected three letters such as RAS"),
        ("preprocessing/transforms/2/_target_", "RandAffined", "'RandAffined' is not understood"),
        ("preprocessing/transforms/2/_target_", "Flipd", "'Flipd' is not understood"),
        ("preprocessing/transforms/2/_target_", "Identityd", "before Orientation"),
        ("preprocessing/transforms/3/mode", "nearest", "is not understood; expected three pixdim"),
        ("preprocessing/transforms/3/pixdim", [1.0, 2.0], "is not understood; expected three"),
        ("preprocessing/transforms/3/scale_extent", True, "is not understood; expected three"),
        ("preprocessing/transforms/4/a_min", "$-100 * 2", "is an expression .* --trust-code"),
        ("preprocessing/transforms/4/a_min", {"low": 1}, "has a_min .*expected a number"),
        ("preprocessing/transforms/4/a_min", "@nowhere", "has no 'nowhere', which is needed"),
        ("preprocessing/transforms", "$@a + @b", "is an expression"),
        ("preprocessing", {"_target_": "Mine"}, "has no 'preprocessing::transforms'"),
        ("inferer/_target_", "SaliencyInferer", "the inferer 'SaliencyInferer' is not understood"),
        ("inferer/overlap", 1.5, "windows overlap by 1.5; expected 0 to 1"),
        ("inferer/mode", "best", "blended by best; expected constant or gaussian"),
        ("inferer/roi_size", [16, 16], "window is .16, 16.; expected three numbers"),
        ("inferer/roi_size", ["16*n"] * 3, "expected three numbers of voxels"),
        ("low", "@high", "has no 'high'"),
        ("low", "@low", "refers to itself"),
        ("network_def/out_channels", 4, "do not fit network_def"),
        ("network_def/out_channels", "$4", "is an expression .*, which is code"),
        ("network_def/colour", "red", "does not make a network .*colour"),
        ("network_def/_mode_", "debug", "may run code; give --trust-code"),
        ("network_def/_target_", "os.system", "names os.system, which is none of MONAI's"),
        ("network_def/_target_", "monai.networks.nets.unet.os", "none of MONAI's networks"),
        ("network_def/_target_", "monai.bundle.ConfigParser", "none of MONAI's networks"),
        ("network_def/_target_", "scripts.net.Mine", "give --trust-code if you trust it"),
        ("network_def", {"act": {"_target_": "os.getcwd"}}, "names os.getcwd"),
        ("network_def", [1, 2], "makes a list, no network"),
    ],
)  # fmt: skip
def test_configurations_that_are_not_understood_are_refused(bundle, place, value, match):
    change(bundle / INFERENCE, place, value)

    def opening():
        from activeseg.model.frame import Frame

        description = open_bundle(bundle, trusted=False).description
        Frame.over(description.axes, description.pixdim, (4, 4, 4), (1.0, 1.0, 1.0))

    refused(match, opening)


@pytest.mark.parametrize(
    ("place", "value", "match"),
    [
        ("network_data_format/inputs/image/num_channels", 4, "takes 4 image channels; .* have 1"),
        ("network_data_format/inputs", {"t1": {}, "t2": {}}, "no single input 'image'"),
        ("network_data_format/outputs/pred/channel_def", {"liver": 1}, "has a channel 'liver'"),
    ],
)
def test_metadata_that_is_not_understood_is_refused(bundle, place, value, match):
    change(bundle / "configs/metadata.json", place, value)
    refused(match, open_bundle, bundle, trusted=False)


@pytest.mark.parametrize("name", ["configs/metadata.json", INFERENCE, "models/model.pt"])
def test_a_bundle_that_lacks_a_file_is_refused(bundle, name):
    (bundle / name).unlink()
    refused("has no .*expected a MONAI bundle", bundle_files, bundle, trusted=False)
    assert is_bundle(bundle) == (name != "configs/metadata.json")


def test_files_that_are_no_configuration_are_refused(bundle):
    (bundle / INFERENCE).write_text("{")
    refused("inference.json: cannot be read", open_bundle, bundle, trusted=False)
    (bundle / INFERENCE).write_text("[]")
    refused("expected names and values", open_bundle, bundle, trusted=False)


class Evil:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self._mark = mark

    def __reduce__(self):
        return (Path.touch, (self._mark,))


def test_weights_with_code_in_them_are_refused_and_do_not_run(bundle, tmp_path):
    mark = tmp_path / "ran"
    for trusted in (False, True):
        torch.save({"model": Evil(mark)}, bundle / "models/model.pt")
        refused("not weights alone", open_bundle, bundle, trusted=trusted)
        (bundle / "models/model.pt").write_bytes(pickle.dumps(Evil(mark)))
        refused("not weights alone", open_bundle, bundle, trusted=trusted)
        assert not mark.exists()
    torch.save({"epoch": 3}, bundle / "models/model.pt")
    refused("holds no weights", open_bundle, bundle, trusted=False)


def test_code_runs_only_for_who_is_trusted(bundle, tmp_path, monkeypatch):
    for name in ("scripts", "scripts.net"):  # not to be left behind
        monkeypatch.delitem(sys.modules, name, raising=False)
    mark = tmp_path / "ran"
    (bundle / "scripts").mkdir()
    (bundle / "scripts/net.py").write_text(
        "import pathlib\nimport torch\n"
        f"pathlib.Path({str(mark)!r}).touch()\n"
        "class Mine(torch.nn.Conv3d):\n    pass\n"
    )
    (bundle / "scripts/__init__.py").write_text("")
    change(bundle / INFERENCE, "network_def/_target_", "scripts.net.Mine")
    change(bundle / INFERENCE, "low", "$-2 * 80")
    refused("give --trust-code", open_bundle, bundle, trusted=False)
    assert not mark.exists()
    opened = open_bundle(bundle, trusted=True)
    assert mark.exists()
    assert type(opened.network).__name__ == "Mine"
    assert opened.description.after[0].options["a_min"] == -160
    assert "scripts/net.py" in bundle_files(bundle, trusted=True)
    assert "scripts/net.py" not in bundle_files(bundle, trusted=False)
    change(bundle / INFERENCE, "low", "$1 / 0")
    refused("'low' cannot be made .*division by zero", open_bundle, bundle, trusted=True)


def test_a_bundle_of_torchscript_needs_trust(bundle):
    (bundle / "models/model.pt").unlink()
    write_torchscript(bundle / "models/model.ts", pointwise(), describe=False)
    refused("model.ts: a TorchScript file, which is code", open_bundle, bundle, trusted=False)
    opened = open_bundle(bundle, trusted=True)
    assert opened.scripted
    image = torch.rand(1, 1, 4, 4, 4)
    torch.testing.assert_close(opened.network(image), pointwise()(image))


class TestTorchScript:
    def test_it_is_known_by_what_is_inside(self, tmp_path):
        file = write_torchscript(tmp_path / "net.pt", pointwise())
        torch.save(pointwise().state_dict(), tmp_path / "weights.pt")
        (tmp_path / "text.pt").write_text("no archive")
        assert is_torchscript(file)
        assert not is_torchscript(tmp_path / "weights.pt")
        assert not is_torchscript(tmp_path / "text.pt")
        assert not is_torchscript(tmp_path / "nothing.pt")

    def test_its_description_lies_beside_it(self, tmp_path):
        file = write_torchscript(tmp_path / "net.ts", pointwise())
        assert torchscript_files(file) == ("net.ts", "net.json")
        opened = open_torchscript(file)
        assert (opened.description.axes, opened.description.outputs) == ("RAS", 3)
        file.with_suffix(".json").write_text("{")
        refused("its description is no JSON", open_torchscript, file)
        file.with_suffix(".json").write_text("[]")
        refused("is no JSON object", open_torchscript, file)

    @pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
    def test_or_inside_it_as_monai_exports_it(self, tmp_path):
        file = tmp_path / "net.ts"
        extra = {
            "metadata.json": json.dumps(METADATA),
            "inference.json": json.dumps(inference(POINTWISE)),
        }
        torch.jit.trace(pointwise(), torch.rand(1, 1, 4, 4, 4)).save(str(file), _extra_files=extra)
        assert torchscript_files(file) == ("net.ts",)
        assert open_torchscript(file).description.names[1] == "Liver"

    def test_without_one_it_is_refused(self, tmp_path):
        file = write_torchscript(tmp_path / "net.ts", pointwise(), describe=False)
        refused("describe it in net.json beside it", open_torchscript, file)

    def test_a_damaged_one_is_refused(self, tmp_path):
        file = write_torchscript(tmp_path / "net.ts", pointwise())
        file.write_bytes(file.read_bytes()[:-200])
        refused("not a readable TorchScript file", open_torchscript, file)


class TestFit:
    NAMES = ("liver", "spleen")

    def channels(self, opened, asked=None, names=NAMES, outputs=3):
        return output_channels(opened, Answers(outputs, False), names, asked or {})

    def test_structures_are_found_by_their_names(self, bundle):
        opened = open_bundle(bundle, trusted=False)
        assert self.channels(opened) == (1, 2)
        assert self.channels(opened, names=("Spleen", "LIVER")) == (2, 1)
        assert self.channels(opened, {"tumour": 2}, ("tumour",)) == (2,)

    @pytest.mark.parametrize(
        ("names", "asked", "match"),
        [
            (
                ("liver", "kidney"),
                {},
                "which output is kidney. its outputs are 0 background, 1 Liv",
            ),
            (NAMES, {"liver": 1}, "which output is spleen"),
            (NAMES, {"liver": 1, "spleen": 2, "gut": 1}, "--map names 'gut'; .* liver, spleen"),
            (NAMES, {"liver": 1, "spleen": 3}, "no output 3 for spleen"),
            (NAMES, {"liver": 0, "spleen": 2}, "output 0 is the background, not liver"),
            (NAMES, {"liver": 2, "spleen": 1}, "--map says liver is output 2, the model itself"),
            (("a", "b"), {"a": 1, "b": 1}, "one output to two structures"),
        ],
    )
    def test_mappings_that_do_not_fit_are_refused(self, bundle, names, asked, match):
        refused(match, self.channels, open_bundle(bundle, trusted=False), asked, names)

    def test_one_output_is_the_one_structure(self, bundle):
        change(bundle / "configs/metadata.json", "network_data_format/outputs/pred", {})
        opened = open_bundle(bundle, trusted=False)
        assert self.channels(opened, names=("tumour",), outputs=1) == (0,)
        assert self.channels(opened, {"tumour": 0}, ("tumour",), 1) == (0,)
        refused("which output is b", self.channels, opened, {"a": 0}, ("a", "b"), 1)

    def test_scans_of_another_kind_are_refused(self, bundle):
        opened: Opened = open_bundle(bundle, trusted=False)  # 2 x 1.5 x own mm
        check_fit(opened, "ct-offset", [(5.0, 0.7, 0.7), (1.0, 1.0, 1.0)])
        refused("made for CT, this cohort is MR", check_fit, opened, "mr", [(1.0, 1.0, 1.0)])
        refused(
            "works at 2 x 1.5 mm, .* 30 x 20 x 20", check_fit, opened, "ct", [(30.0, 20.0, 20.0)]
        )
        refused("more than a factor of 10", check_fit, opened, "ct", [(0.1, 0.1, 0.1)])


class TestWords:
    WORDS = Words(
        {"a": "@b::0", "b": ["@c", "$1 + 1"], "c": {"d": 5, "e": "%x"}, "f": "$@c#d"}, "w"
    )

    def test_references_are_followed_everywhere(self):
        assert self.WORDS.plain("a::d") == self.WORDS.plain("f") == 5
        assert self.WORDS.at("a") == {"d": 5, "e": "%x"}
        assert "b" in self.WORDS
        assert "z" not in self.WORDS

    def test_code_is_not_run(self):
        refused(r"w: 'b::1' is an expression \(\$1 \+ 1\)", self.WORDS.at, "b::1")
        refused("'c::e' is an expression", self.WORDS.plain, "c")
        trusting = Words({"b": ["x", "$1 + 1"]}, "w", lambda place: f"<{place}>")
        assert trusting.plain("b") == ["x", "<b::1>"]


def test_a_switched_off_transform_is_left_out(tmp_path):
    folder = write_bundle(tmp_path / "b", nn.Conv3d(1, 3, 1), POINTWISE)
    content = json.loads((folder / INFERENCE).read_text())
    off = {"_target_": "Flipd", "_disabled_": True}
    content["preprocessing"]["transforms"].append(off)
    content["inferer"] = {"_target_": "SimpleInferer"}
    write(folder / INFERENCE, content)
    assert open_bundle(folder, trusted=False).description.window == (16, 16, 16)
