"""A cohort at an address: found, read and refused as a folder is, and mirrored file by file."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec.core
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from activeseg.caches import user_cache_folder
from activeseg.cohort import Cohort, open_cohort, read_image_file, take_slice, write_image
from activeseg.errors import CohortError
from activeseg.executors import local_processes
from activeseg.files import TEMPORARY
from activeseg.oracle import Oracle
from activeseg.progress import Progress, Silent, Stage
from activeseg.project import Project
from activeseg.project.offer import fresh_offer
from activeseg.project.verbs import run_suggest
from activeseg.sampling import strategy
from tiny_cohort import new_project, write_tiny_cohort

SILENT = Silent()
ADDRESS = "memory://bucket/cohort"
COUNT = 3


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A place of its own for what is fetched, and an empty memory."""
    monkeypatch.setenv("ACTIVESEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_cohort(tmp_path_factory.mktemp("local") / "a cohort", COUNT)


def uploaded(folder: Path, address: str = ADDRESS) -> str:
    """Put a folder's files there."""
    memory = MemoryFileSystem()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            memory.pipe_file(f"{address}/{file.relative_to(folder).as_posix()}", file.read_bytes())
    return address


@pytest.fixture
def address(folder):
    return uploaded(folder)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@contextmanager
def served(folder: Path, handler=_Quiet):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def places(folder: Path, kind: str):
    if kind == "memory":
        yield uploaded(folder)
    elif kind == "file":
        yield f"file://{folder}"
    else:
        pytest.importorskip("aiohttp", reason="needs the package of http")
        with served(folder.parent) as server:
            yield f"{server}/{folder.name.replace(' ', '%20')}"


def kept(cache: Path) -> list[str]:
    """The names of all files of the mirrors."""
    return sorted(file.name for file in cache.rglob("*") if file.is_file())


def summary(cohort: Cohort):
    """Ids and, relative to the root, their files."""
    return {
        v.id: tuple(f and f.relative_to(cohort.root).as_posix() for f in (v.image, v.label))
        for v in cohort.volumes
    }


def refusal(address: str) -> str:
    with pytest.raises(CohortError) as caught:
        open_cohort(address)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["memory", "file", "http"])
def test_the_same_cohort_as_in_the_folder(folder, kind):
    here = open_cohort(folder)
    with places(folder, kind) as address:
        there = open_cohort(f"{address}/".replace("%20", " "))
        assert there.where == address
        assert summary(there) == summary(here)
        assert there.structures == here.structures
        for mine, other in zip(here.volumes, there.volumes, strict=True):
            assert (mine.geometry, mine.modality) == (other.geometry, other.modality)
            assert np.array_equal(here.read_image(mine.id), there.read_image(mine.id))
            assert np.array_equal(here.read_label(mine.id), there.read_label(mine.id))


LAYOUTS = {
    "nnU-Net": {"v00.nrrd": "imagesTr/v00_0000.nrrd", "l00.nrrd": "labelsTr/v00.nrrd"},
    "images": {"v00.nrrd": "images/v00.nrrd", "l00.nrrd": "labels/v00_seg.nrrd"},
    "flat": {"v00.nrrd": "v00.nrrd", "l00.nrrd": "v00-label.nrrd"},
    "decathlon": {"v00.nrrd": "scans/v00.nrrd", "l00.nrrd": "truth/v00.nrrd"},
    "list": {"v00.nrrd": "deep/er/x.nrrd", "l00.nrrd": "deep/y.nrrd"},
}


def laid_out(folder: Path, target: Path, layout: str) -> Path:
    """One volume of the tiny cohort in one of the layouts, beside files that are not meant."""
    for name, place in LAYOUTS[layout].items():
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        source = "images" if name.startswith("v") else "labels"
        shutil.copy(folder / source / "v00.nrrd", target / place)
    (target / "imagesTs").mkdir()
    for name in ("imagesTs/v09.nrrd", ".hidden.nrrd", "notes.txt"):
        (target / name).write_bytes(b"not to be read")
    described = {"labels": {"background": 0, "liver": 1, "spleen": 4}}
    if layout == "decathlon":
        described["training"] = [{"image": "scans/v00.nrrd", "label": "truth/v00.nrrd"}]
    if layout == "list":
        (target / "cohort.csv").write_text("id,image,label\nv00,deep/er/x.nrrd,deep/y.nrrd\n")
    (target / "dataset.json").write_text(json.dumps(described))
    return target


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_found_and_nothing_else_is_fetched(folder, tmp_path, cache, layout):
    local = laid_out(folder, tmp_path / "local", layout)
    there = open_cohort(uploaded(local))
    assert summary(there) == summary(open_cohort(local))
    assert [volume.id for volume in there.volumes] == ["v00"]
    places_ = LAYOUTS[layout].values()
    lists = ["dataset.json", *(["cohort.csv"] if layout == "list" else [])]
    assert kept(cache) == sorted([*(Path(place).name for place in places_), *lists])


def test_a_list_has_an_address_of_its_own_and_needs_no_listing(folder, tmp_path, monkeypatch):
    local = laid_out(folder, tmp_path / "local", "list")
    (local / "cohort.csv").rename(local / "mine.csv")
    address = uploaded(local)

    def refuse(self, path, detail=True, **words):
        raise PermissionError("no listing")

    monkeypatch.setattr(MemoryFileSystem, "ls", refuse)
    there = open_cohort(f"{address}/mine.csv")
    assert summary(there) == summary(open_cohort(local / "mine.csv"))
    assert there.where == address
    assert refusal(address).startswith(f"{address}: cannot be reached or read (no listing)")


def test_what_is_known_is_fetched_once(address, monkeypatch):
    fetched = []
    fetch = MemoryFileSystem.get_file

    def counting(self, rpath, lpath, **words):
        fetched.append(Path(rpath).name)
        return fetch(self, rpath, lpath, **words)

    monkeypatch.setattr(MemoryFileSystem, "get_file", counting)
    open_cohort(address)
    assert sorted(fetched) == sorted(
        ["dataset.json", *2 * [f"v{n:02d}.nrrd" for n in range(COUNT)]]
    )
    fetched.clear()
    open_cohort(address).read_image("v01")
    assert fetched == []


class TestAChangedFile:
    def test_other_voxels_are_read(self, folder, address, cache, tmp_path):
        cohort = open_cohort(address)
        before = cohort.read_image("v00")
        array, geometry = read_image_file(folder / "images/v00.nrrd")
        write_image(tmp_path / "new.nrrd", array + 1, geometry)
        MemoryFileSystem().pipe_file(
            f"{address}/images/v00.nrrd", (tmp_path / "new.nrrd").read_bytes()
        )
        assert np.array_equal(cohort.read_image("v00"), before + 1)
        assert kept(cache).count("v00.nrrd") == 2  # an image and a label, one version each

    def test_another_geometry_is_refused(self, folder, address):
        cohort = open_cohort(address)
        other = (folder / "images/v01.nrrd").read_bytes()
        MemoryFileSystem().pipe_file(f"{address}/images/v00.nrrd", other)
        with pytest.raises(
            CohortError, match=r"v00: v00\.nrrd changed since the cohort was opened"
        ):
            cohort.read_image("v00")

    def test_one_that_is_gone_is_told(self, address):
        cohort = open_cohort(address)
        MemoryFileSystem().rm_file(f"{address}/labels/v02.nrrd")
        with pytest.raises(CohortError, match=f"v02: v02.nrrd: no such file: {address}/labels/v02"):
            cohort.read_label("v02")

    def test_while_it_is_fetched(self, address, cache, monkeypatch):
        fetch = MemoryFileSystem.get_file

        def changing(self, rpath, lpath, **words):
            fetch(self, rpath, lpath, **words)
            self.pipe_file(rpath, self.cat_file(rpath))

        cohort = open_cohort(address)
        shutil.rmtree(cache)
        monkeypatch.setattr(MemoryFileSystem, "get_file", changing)
        with pytest.raises(CohortError, match=r"v00\.nrrd: changed while it was fetched"):
            cohort.read_image("v00")
        assert kept(cache) == []


class _Lost(Exception):
    """What the package of a protocol might raise."""


class TestAnInterruptedFetch:
    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (ConnectionResetError("peer went away"), CohortError),
            (_Lost("session expired"), CohortError),
            (KeyboardInterrupt(), KeyboardInterrupt),
            (TypeError("a bug"), TypeError),
            (None, CohortError),
        ],
    )
    def test_leaves_nothing_half_and_can_be_repeated(
        self, folder, address, cache, monkeypatch, error, told
    ):
        def half(self, rpath, lpath, **words):
            content = self.cat_file(rpath)
            Path(lpath).write_bytes(content[: len(content) // 2])
            if error is not None:
                raise error

        with monkeypatch.context() as patched:
            patched.setattr(MemoryFileSystem, "get_file", half)
            with pytest.raises(told) as caught:
                open_cohort(address)
        if told is CohortError:
            said = str(error) if error else "of"
            assert said in str(caught.value)
            assert "\n" not in str(caught.value)
        assert kept(cache) == []
        assert np.array_equal(
            open_cohort(address).read_image("v00"), open_cohort(folder).read_image("v00")
        )

    def test_old_leavings_are_swept(self, address, cache):
        root = open_cohort(address).root
        left = root / "images" / f"{TEMPORARY}1-x-v00.nrrd"
        left.write_bytes(b"half")
        os.utime(left, (1, 1))
        open_cohort(address)
        assert not left.exists()

    def test_a_server_that_stops_in_the_middle(self, folder, cache):
        pytest.importorskip("aiohttp", reason="needs the package of http")

        class Stopping(_Quiet):
            def copyfile(self, source, outputfile):
                content = source.read()
                whole = not self.path.endswith("images/v01.nrrd")
                outputfile.write(content if whole else content[:100])

        with served(folder, Stopping) as server:
            assert "v01: " in refusal(server)
        assert kept(cache).count("v01.nrrd") == 0
        assert f"{server}" in refusal(server)  # and now there is no server at all


def test_a_store_that_forbids_what_it_does_not_hold(folder, tmp_path):
    """As S3 does to those who may not list; a dataset.json beside the list need not be there."""
    pytest.importorskip("aiohttp", reason="needs the package of http")

    class Forbidding(_Quiet):
        def send_error(self, code, message=None, explain=None):
            super().send_error(403)

        def list_directory(self, path):
            self.send_error(403)

    local = laid_out(folder, tmp_path / "local", "list")
    (local / "dataset.json").unlink()
    with served(local, Forbidding) as server:
        assert summary(open_cohort(f"{server}/cohort.csv")) == summary(open_cohort(local))
        (local / "deep/y.nrrd").unlink()
        assert "v00: " in (said := refusal(f"{server}/cohort.csv"))
        assert "y.nrrd: cannot be reached or read (403" in said
        assert "cannot be reached or read (403" in refusal(server)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("nope://bucket/cohort", "Protocol not known: nope"),
        ("memory://bucket/none", "no such folder"),
        ("memory://bucket/none/cohort.csv", "no such folder"),
        ("memory://bucket/cohort/images/v00.nrrd", "no image found"),
        ("memory://", "names no folder"),
        ("memory://cohort.csv", "no such folder"),
        ("file:///no/such/place", "no such folder"),
        ("ftp://ada:secret@host/cohort", "holds a password"),
        ("zip::memory://bucket/cohort.zip", "goes through another address"),
        ("https://host/cohort?token=1", "has a query"),
    ],
)
def test_refusals(address, told):
    uploaded(Path(__file__).parent / "nothing")
    MemoryFileSystem().pipe_file("memory://bucket/cohort/images/v00.nrrd", b"x")
    said = refusal(address)
    assert told in said
    assert said.startswith(address.replace("secret", "***"))


def test_a_protocol_without_its_package_is_named(monkeypatch):
    def lacking(address, **options):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", lacking)
    assert refusal("s3://bucket/cohort") == (
        "s3://bucket/cohort: the package of this protocol is not installed (Install s3fs to access "
        "S3)"
    )


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("../other/v00.nrrd", "lies outside of memory://bucket/cohort"),
        ("/etc/passwd", "lies outside of memory://bucket/cohort"),
        ("slices/v00.dcm", "DICOM"),
        ("v00.mhd", "each image must be one file"),
        ("v00.nrrd", "no such file: memory://bucket/cohort/v00.nrrd"),
    ],
)
def test_what_a_list_cannot_name(image, told):
    memory = MemoryFileSystem()
    memory.pipe_file("memory://bucket/other/v00.nrrd", b"x")
    memory.pipe_file(f"{ADDRESS}/cohort.csv", f"id,image\nv00,{image}\n".encode())
    assert told in refusal(ADDRESS)


def test_dicom_and_empty_folders_are_told_what_is_read():
    MemoryFileSystem().pipe_file(f"{ADDRESS}/patient/1.dcm", bytes(128) + b"DICM")
    assert "DICOM series have to lie in a folder of this machine" in refusal(ADDRESS)


class TestTheRecord:
    def test_keeps_the_address(self, address):
        cohort = open_cohort(address)
        record = json.loads(json.dumps(cohort.to_json()))
        assert record["root"] == address
        assert record["volumes"][0]["image"] == "images/v00.nrrd"
        assert Cohort.from_json(record) == cohort
        assert cohort.image_place("v00") == f"{address}/images/v00.nrrd"

    def test_another_machine_has_its_own_mirror(self, address, folder, tmp_path, monkeypatch):
        """Pickled, as work travels, and read where the caches lie elsewhere."""
        cohort = pickle.loads(pickle.dumps(open_cohort(address)))
        monkeypatch.setenv("ACTIVESEG_CACHE", str(tmp_path / "there"))
        assert cohort.image_file("v00").is_relative_to(tmp_path / "there")
        assert np.array_equal(cohort.read_image("v00"), open_cohort(folder).read_image("v00"))

    def test_a_copy_on_this_machine_takes_its_place(self, address, folder):
        record = open_cohort(address).to_json()
        assert Cohort.from_json(record, root=folder) == open_cohort(folder)


class _Stages(Progress):
    def __init__(self):
        self.names = []

    @contextmanager
    def stage(self, name, total):
        self.names.append((name, total))
        yield Stage(name, total, lambda stage: None)


def test_progress_says_that_files_are_fetched(address, folder):
    stages = _Stages()
    open_cohort(address, progress=stages)
    open_cohort(folder, progress=stages)
    assert stages.names == [
        ("Fetching and checking the cohort", COUNT),
        ("Checking the cohort", COUNT),
    ]


class TestCommands:
    def test_init_and_suggest(self, run, address, folder, tmp_path):
        for name, place in (("far", address), ("near", folder)):
            done = run("init", tmp_path / name, "--cohort", place, "--progress", "none")
            assert done.code == 0, done.err
            done = run("suggest", tmp_path / name, "--minutes", 4, "--progress", "none")
            assert done.code == 0, done.err
        far, near = (Project.open(tmp_path / name) for name in ("far", "near"))
        assert far.latest_batch().suggestions == near.latest_batch().suggestions
        kept = json.loads((far.folder / "project.json").read_text())
        assert kept["cohort"]["root"] == address
        assert far.cohort == open_cohort(address)
        status = run("status", far.folder, "--json")
        assert json.loads(status.out)["cohort"] == address

    def test_an_oracle_answers_from_the_labels_there(self, address, tmp_path):
        project = new_project(tmp_path / "p", address)
        run_suggest(project, 2.0, None, SILENT)
        answered = Oracle(project, 1).answer_batch(SILENT)
        assert answered
        for each in answered:
            geometry = project.cohort.volume(each.key.volume).geometry
            label = project.cohort.read_label(each.key.volume)
            wanted = take_slice(label, geometry, each.key.plane, each.key.index)
            (given,) = project.history(each.key)
            assert np.array_equal(project.read_annotation(given), wanted)

    def test_select_names_the_images_by_their_addresses(self, run, address, folder, tmp_path):
        lists = []
        for name, place in (("far", address), ("near", folder)):
            (tmp_path / name).mkdir()
            words = ("--minutes", 4, "-o", tmp_path / name / "list.json", "--progress", "none")
            done = run("select", place, *words)
            assert done.code == 0, done.err
            lists.append(json.loads((tmp_path / name / "list.json").read_text()))
        far, near = lists
        assert far["cohort"] == address
        for one, other in zip(far["suggestions"], near["suggestions"], strict=True):
            assert one["key"] == other["key"]
            assert one["image"] == f"{address}/images/{one['volume']}.nrrd"

    @pytest.mark.parametrize(
        "words",
        [
            ("init", "new", "--cohort", "memory://none/here"),
            ("select", "memory://none/here", "--minutes", 4, "-o", "new.csv"),
            ("benchmark", "--cohort", "memory://none/here", "--out", "new"),
            ("demo", "--cohort", "memory://none/here", "--out", "new", "--no-serve"),
        ],
    )
    def test_refusals_are_one_line(self, run, tmp_path, monkeypatch, words):
        monkeypatch.chdir(tmp_path)
        done = run(*words, "--progress", "none")
        assert done.code == 2
        assert done.err == (
            "activeseg: memory://none/here: no such folder; expected a folder of images or a list\n"
        )
        assert not list(tmp_path.glob("new/project.json"))


def test_processes_fetch_by_themselves(folder, tmp_path, cache):
    """Work that travels to processes of this machine finds the images without the mirror."""
    cohort = open_cohort(f"file://{folder}")
    shutil.rmtree(cache)
    chosen_by = strategy("one-shot")
    with local_processes(2):
        there = fresh_offer(cohort, "auto", [None, None], chosen_by, SILENT).pool
    assert kept(cache) == [f"v{number:02d}.nrrd" for number in range(COUNT)]
    here = fresh_offer(open_cohort(folder), "auto", [None, None], chosen_by, SILENT).pool
    assert here.features.tobytes() == there.features.tobytes()


class TestTheCache:
    @pytest.fixture(autouse=True)
    def bare(self, monkeypatch, tmp_path):
        for name in ("ACTIVESEG_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setattr("sys.platform", "linux")

    def test_is_where_the_platform_keeps_such_things(self, monkeypatch, tmp_path):
        assert user_cache_folder() == tmp_path / ".cache/activeseg"
        monkeypatch.setenv("XDG_CACHE_HOME", "relative")
        assert user_cache_folder() == tmp_path / ".cache/activeseg"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert user_cache_folder() == tmp_path / "xdg/activeseg"
        monkeypatch.setattr("sys.platform", "darwin")
        assert user_cache_folder() == tmp_path / "Library/Caches/activeseg"

    def test_or_where_somebody_says(self, monkeypatch, tmp_path):
        monkeypatch.setenv("ACTIVESEG_CACHE", str(tmp_path / "mine"))
        assert user_cache_folder() == tmp_path / "mine"
        monkeypatch.setenv("ACTIVESEG_CACHE", "off")  # that is about what is computed
        assert user_cache_folder() == tmp_path / ".cache/activeseg"

    def test_without_a_home_one_has_to_be_named(self, monkeypatch):
        def homeless():
            raise RuntimeError("no home")

        monkeypatch.setattr(Path, "home", homeless)
        assert "name a folder with ACTIVESEG_CACHE" in refusal(ADDRESS)
