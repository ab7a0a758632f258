"""Datasets that are one file: CIFAR-10's archive, and a user's own at a URL."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kit.local_server import CLOSED, Serve
from kit.local_server import serve as serve
from kit.small_arrays import bare_environment as bare_environment  # autouse, once it is here
from kit.small_arrays import own_registry as own_registry  # and this
from kit.small_arrays import refusal, same
from trainscape import source
from trainscape.datasets import Arrays, Raw, cifar10, load, prepare, registry

if TYPE_CHECKING:
    from pathlib import Path

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(12) % 10


def md5(content: bytes) -> str:
    """The md5 that torchvision compares."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def batches() -> dict[str, bytes]:
    """CIFAR-10's files in small: five of two images, one of two, and the classes' names."""
    files = {}
    for i, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        rows = slice(2 * i, 2 * i + 2)
        planes = PIXELS[rows].transpose(0, 3, 1, 2).reshape(2, -1)  # all red, all green, all blue
        files[name] = pickle.dumps({"data": planes, "labels": LABELS[rows].tolist()}, protocol=2)
    files["batches.meta"] = pickle.dumps({"label_names": [str(n) for n in range(10)]}, protocol=2)
    return files


def packed(files: dict[str, bytes]) -> bytes:
    """The archive of the files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


class TestCifar10:
    """Real ones are not at hand: small files in their form, read by torchvision's reader."""

    ARCHIVE = packed(batches())

    @pytest.fixture(autouse=True)
    def published(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The pins of the small files stand in for the published ones."""
        from torchvision.datasets import CIFAR10

        *train, test, meta = ([name, md5(content)] for name, content in batches().items())
        monkeypatch.setattr(CIFAR10, "train_list", train)
        monkeypatch.setattr(CIFAR10, "test_list", [test])
        monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": meta[1]})
        monkeypatch.setattr(cifar10, "MD5", {cifar10.ARCHIVE: md5(self.ARCHIVE)})

    def expected(self) -> Arrays:
        """Channels last, the batches in order."""
        return Arrays(PIXELS[:10], LABELS[:10], PIXELS[10:], LABELS[10:])

    def test_pin_is_torchvisions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The published md5 is the one that torchvision carries."""
        from torchvision.datasets import CIFAR10

        monkeypatch.undo()
        assert {CIFAR10.filename: CIFAR10.tgz_md5} == cifar10.MD5

    @pytest.mark.parametrize("below", ["", "cifar10"])
    def test_users_folder(self, below: str, tmp_path: Path) -> None:
        """The archive is taken from the user's folder, and nothing else is left beside it."""
        (tmp_path / "own" / below).mkdir(parents=True)
        (tmp_path / "own" / below / cifar10.ARCHIVE).write_bytes(self.ARCHIVE)
        raw = tmp_path / "raw"
        assert same(cifar10.make(Raw(raw, tmp_path / "own", CLOSED)), self.expected())
        assert [path.name for path in raw.iterdir()] == [cifar10.ARCHIVE]
        assert same(cifar10.make(Raw(raw, None, CLOSED)), self.expected())

    @pytest.mark.parametrize("below", ["", "cifar10/"])
    def test_mirror(
        self, below: str, serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A damaged archive is named, and a whole one downloaded in its place."""
        (tmp_path / cifar10.ARCHIVE).write_bytes(self.ARCHIVE[:-1])
        url = serve({below + cifar10.ARCHIVE: self.ARCHIVE})
        assert same(cifar10.make(Raw(tmp_path, None, url)), self.expected())
        assert f"{tmp_path / cifar10.ARCHIVE} is damaged" in capsys.readouterr().err
        assert (tmp_path / cifar10.ARCHIVE).read_bytes() == self.ARCHIVE

    def test_public_server(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Without a mirror torchvision's own URL is asked."""
        from torchvision.datasets import CIFAR10

        monkeypatch.setattr(CIFAR10, "url", serve({"x.tar.gz": self.ARCHIVE}) + "x.tar.gz")
        assert same(cifar10.make(Raw(tmp_path)), self.expected())

    def test_altered_archive(self, serve: Serve, tmp_path: Path) -> None:
        """Another archive is refused before a pickle in it is opened."""
        altered = packed({**batches(), "test_batch": b"cos\nsystem\n(S'exit'\ntR."})
        url = serve({cifar10.ARCHIVE: altered})
        said = refusal(lambda: cifar10.make(Raw(tmp_path, None, url)))
        assert "not the published content" in said and url in said
        assert not list(tmp_path.iterdir())


TEXT = b"1 2 3 4 5 6\n7 8 9\n"
PLUGIN = """
import numpy as np
from trainscape.datasets import Arrays, url_dataset


@url_dataset("numbers", url="{url}", sha256="{sha256}", train=6, test=3)
def read(path):
    rows = [np.array(line.split(), float) for line in path.read_text().splitlines()]
    return {result}
"""
WHOLE = "Arrays(rows[0][:, None], rows[0], rows[1][:, None], rows[1])"


def plug_in(
    folder: Path, url: str, sha256: str = hashlib.sha256(TEXT).hexdigest(), result: str = WHOLE
) -> None:
    """Write a plugin with a dataset at a URL, and run it."""
    file = folder / "numbers_plugin.py"
    text = PLUGIN.format(url=url, sha256=sha256, result=result)
    file.write_text(text)
    exec(compile(text, str(file), "exec"), {})


class TestUrl:
    """A user's own file on a server."""

    def test_becomes_a_dataset(self, serve: Serve, tmp_path: Path) -> None:
        """It is known before it is downloaded, then kept below its name, and read."""
        place = "some/numbers.txt?version=2"
        plug_in(tmp_path, serve({place: TEXT}) + place)
        entry = registry.get("numbers")
        assert (entry.train, entry.test, entry.pinned) == (6, 3, False)
        prepare("numbers", tmp_path / "data", tmp_path / "raw")
        assert load("numbers", tmp_path / "data").y_test.tolist() == [7, 8, 9]
        found = [path for path in (tmp_path / "raw").rglob("*") if path.is_file()]
        assert found == [tmp_path / "raw" / "numbers" / "numbers.txt"]

    @pytest.mark.parametrize("below", ["", "numbers"])
    def test_users_folder_and_mirror(self, below: str, serve: Serve, tmp_path: Path) -> None:
        """Both are asked for the file's name, in a folder of the dataset's and in themselves."""
        plug_in(tmp_path, f"{CLOSED}n.txt")
        (tmp_path / "own" / below).mkdir(parents=True)
        (tmp_path / "own" / below / "n.txt").write_bytes(TEXT)
        prepare("numbers", tmp_path / "1", tmp_path / "raw1", tmp_path / "own")
        url = serve({f"{below}/n.txt".lstrip("/"): TEXT})
        prepare("numbers", tmp_path / "2", tmp_path / "raw2", mirror=url)
        assert same(load("numbers", tmp_path / "1"), load("numbers", tmp_path / "2"))

    @pytest.mark.parametrize("how", [{"cut": True}, {}])
    def test_what_is_not_the_file_is_refused(
        self, how: dict[str, Any], serve: Serve, tmp_path: Path
    ) -> None:
        """A download that breaks off, or is another file, leaves nothing and says how to help."""
        url = serve({"n.txt": TEXT if how else TEXT + b"10"}, **how) + "n.txt"
        plug_in(tmp_path, url)
        said = refusal(lambda: prepare("numbers", tmp_path / "data", tmp_path / "raw"))
        assert said.startswith("dataset 'numbers': cannot download n.txt (") and url in said
        assert "--from" in said and "--mirror" in said
        assert not list((tmp_path / "raw").iterdir())

    def test_a_damaged_file_is_downloaded_anew(
        self, serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A raw file that was edited is named and replaced."""
        plug_in(tmp_path, serve({"n.txt": TEXT}) + "n.txt")
        home = tmp_path / "raw" / "numbers"
        home.mkdir(parents=True)
        (home / "n.txt").write_bytes(b"1 2")
        prepare("numbers", tmp_path / "data", tmp_path / "raw")
        assert f"{home / 'n.txt'} is damaged" in capsys.readouterr().err
        assert (home / "n.txt").read_bytes() == TEXT

    def test_identity_covers_file_and_reader(self, tmp_path: Path) -> None:
        """Another file or another reader is another dataset; another comment or URL is not."""

        def identity(**changes: str) -> str:
            for function in vars(source).values():  # a process reads a file but once
                getattr(function, "cache_clear", lambda: None)()
            plug_in(tmp_path, **{"url": f"{CLOSED}n.txt", **changes})
            return registry.get("numbers").sha256

        first = identity()
        assert identity() == first
        assert identity(result=f"{WHOLE}  # the same") == first
        assert identity(result=WHOLE.replace("rows[1])", "rows[1] + 1)")) != first
        assert identity(sha256="0" * 64) != first

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"url": "n.txt"}, "url 'n.txt' is none; write it as 'https://host/file'"),
            ({"sha256": "abc"}, "sha256 'abc' is none; give the 64 hex digits of `sha256sum`"),
        ],
    )
    def test_slips_are_refused_at_once(
        self, changes: dict[str, str], message: str, tmp_path: Path
    ) -> None:
        """What is no URL or no hash is refused when the plugin is loaded."""
        said = refusal(lambda: plug_in(tmp_path, **{"url": f"{CLOSED}n.txt", **changes}))
        assert said == f"dataset 'numbers': {message}"

    @pytest.mark.parametrize(
        ("result", "message"),
        [
            ("rows", "gives list; return trainscape.datasets.Arrays"),
            (WHOLE.replace("rows[1])", "rows[0])"), "x_test has 3 examples, y_test has 6"),
            (WHOLE.replace("rows[0],", "rows[0] / 0,"), "y_train holds 6 values that are NaN"),
        ],
    )
    def test_unfit_arrays(self, result: str, message: str, tmp_path: Path) -> None:
        """What cannot be trained on is refused by dataset, reader, file and array."""
        plug_in(tmp_path, f"{CLOSED}n.txt", result=result)
        (tmp_path / "n.txt").write_bytes(TEXT)
        with np.errstate(divide="ignore"):
            said = refusal(lambda: prepare("numbers", tmp_path, tmp_path / "raw", tmp_path))
        file = tmp_path / "raw" / "numbers" / "n.txt"
        assert said.startswith(f"dataset 'numbers': read() of {file}: ") and message in said
