"""Checkpoints: whole or refused in one line, and nothing in them is executed."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from activeseg.errors import ModelError
from activeseg.model.network import NetworkConfig, build, load, load_members, save, seeded
from activeseg.model.scan import PLACES
from activeseg.model.supervised import SliceVolumeUNet

CT = NetworkConfig(image_channels=2, structures=(3, 7, 255), pixel_mm=0.7813, modality="ct-offset")
FACTS = {"round": 2, "seed": 7, "annotations": {"case_001/axial/004": "ab12"}, "empty": []}


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    with seeded(3):
        save(path, build(CT), CT, FACTS)
    return path


def refusal(path: Path) -> str:
    """The one line with which a file is refused."""
    with pytest.raises(ModelError) as refused:
        load(path)
    message = str(refused.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    network = build(CT)
    network.train()
    network(torch.rand(2, 6 + PLACES, 16, 16))  # so that batch norm has seen something
    save(path, network, CT, FACTS)
    found, config, facts = load(path)
    assert config == CT
    assert facts == FACTS
    wanted, weights = network.state_dict(), found.state_dict()
    assert list(weights) == list(wanted)
    for name in wanted:
        assert weights[name].dtype == wanted[name].dtype
        assert torch.equal(weights[name], wanted[name])


def test_what_is_loaded_answers_channels_last(checkpoint: Path) -> None:
    # The speed of a training hangs on it (docs/experiments.md).
    network = load(checkpoint)[0]
    assert isinstance(network, SliceVolumeUNet)
    images, block = torch.rand(2, 6 + PLACES, 16, 16), torch.rand(2, 2 + PLACES, 8, 8, 8)
    assert network(images).is_contiguous(memory_format=torch.channels_last)
    assert network.volume(block).is_contiguous(memory_format=torch.channels_last_3d)


def test_only_the_file_itself_is_written(checkpoint: Path) -> None:
    assert [path.name for path in checkpoint.parent.iterdir()] == ["model.pt"]


def test_a_failed_save_leaves_the_old_checkpoint(checkpoint: Path) -> None:
    before = checkpoint.read_bytes()
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
        save(checkpoint, build(CT), CT, {"not plain": lambda: None})
    assert checkpoint.read_bytes() == before
    assert [path.name for path in checkpoint.parent.iterdir()] == ["model.pt"]


def test_what_is_saved_needs_no_trust(checkpoint: Path) -> None:
    found = torch.load(checkpoint, weights_only=True)
    assert found["config"]["structures"] == (3, 7, 255)
    assert found["config"]["modality"] == "ct-offset"


def test_loading_leaves_chance_as_it_was(checkpoint: Path) -> None:
    before = torch.get_rng_state()
    load(checkpoint)
    assert torch.equal(torch.get_rng_state(), before)


def test_missing_file_says_what_happened(tmp_path: Path) -> None:
    assert "model.pt: no such checkpoint; it was moved or never trained" in refusal(
        tmp_path / "model.pt"
    )


@pytest.mark.parametrize("zipped", [True, False])
def test_malicious_file_is_refused_and_not_executed(tmp_path: Path, zipped: bool) -> None:
    path, mark = tmp_path / "model.pt", tmp_path / "executed"
    contents = {"format": 1, "config": Malicious(mark)}
    torch.save(contents, path, _use_new_zipfile_serialization=zipped)
    refusal(path)
    assert not mark.exists()
    torch.load(path, weights_only=False)  # it would have been executed
    assert mark.exists()


def test_plain_pickle_is_refused_and_not_executed(tmp_path: Path) -> None:
    path, mark = tmp_path / "model.pt", tmp_path / "executed"
    path.write_bytes(pickle.dumps(Malicious(mark)))
    refusal(path)
    assert not mark.exists()


def test_pickled_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(nn.Conv2d(1, 1, 1), path)
    refusal(path)


@pytest.mark.parametrize("part", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_truncated_file_is_refused(checkpoint: Path, part: float) -> None:
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: int(len(whole) * part)])
    assert "activeseg train" in refusal(checkpoint)


@pytest.mark.parametrize(
    "contents",
    [
        b"hello\n",
        b"step,loss\n1,0.5\n",
        b"\x89PNG\r\n\x1a\n" + bytes(64),
        bytes(2000),
        b"(((",
        b".",
    ],
)
def test_file_of_another_kind_is_refused(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(contents)
    refusal(path)


@pytest.mark.parametrize("name", ["notes.txt", "model/constants.pkl"])
def test_archive_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "hello")
    assert "activeseg train" in refusal(path)


@pytest.mark.parametrize("pickled", [b"s.", b".", b"h\x09.", b"\x80\x02J\x01", b"X\xff", b""])
def test_archive_with_a_broken_pickle_is_refused(checkpoint: Path, pickled: bytes) -> None:
    with zipfile.ZipFile(checkpoint) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(checkpoint, "w") as archive:
        for name, contents in records.items():
            archive.writestr(name, pickled if name.endswith("data.pkl") else contents)
    assert "not a readable checkpoint" in refusal(checkpoint)


@settings(max_examples=60)
@given(data=st.data())
def test_damaged_contents_are_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "model.pt"
    torch.save({"format": 1, "config": {}, "facts": {}, "weights": {"w": torch.ones(2)}}, path)
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    (pickled,) = (name for name in records if name.endswith("data.pkl"))
    damaged = bytearray(records[pickled])
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with zipfile.ZipFile(path, "w") as archive:  # new checksums: the damage is not seen early
        for name, contents in records.items():
            archive.writestr(name, bytes(damaged) if name == pickled else contents)
    refusal(path)  # undamaged, its config would be refused too


def test_folder_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path)


@pytest.mark.parametrize(
    "contents", [{"weights": {}}, [1, 2], torch.zeros(3), {"format": 2}, {"format": "1"}, None]
)
def test_other_torch_file_is_refused(tmp_path: Path, contents: object) -> None:
    path = tmp_path / "other.pt"
    torch.save(contents, path)
    assert "not a checkpoint of ActiveSeg" in refusal(path)


@pytest.mark.parametrize("missing", ["config", "weights", "facts"])
def test_incomplete_checkpoint_is_refused(checkpoint: Path, missing: str) -> None:
    contents = torch.load(checkpoint, weights_only=True)
    del contents[missing]
    torch.save(contents, checkpoint)
    refusal(checkpoint)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("config", {**vars(CT), "structures": (1,)}),
        ("config", {**vars(CT), "structures": ("liver",)}),
        ("config", {"image_channels": 2}),
        ("config", 5),
        ("weights", {}),
        ("weights", 5),
        ("facts", 5),
    ],
)
def test_contents_that_do_not_fit_are_refused(checkpoint: Path, part: str, value: object) -> None:
    contents = torch.load(checkpoint, weights_only=True)
    torch.save({**contents, part: value}, checkpoint)
    assert "do not fit" in refusal(checkpoint)


def test_members_come_back(tmp_path: Path) -> None:
    members = [build(CT).state_dict(), build(CT).state_dict()]
    save(tmp_path / "model.pt", build(CT), CT, FACTS, members)
    found = load_members(tmp_path / "model.pt")
    assert len(found) == 2
    for ours, theirs in zip(members, found, strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
