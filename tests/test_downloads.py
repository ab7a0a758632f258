"""Raw files of MNIST and its kin: taken from where they lie, or downloaded by torchvision."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kit.local_server import CLOSED, Serve
from kit.local_server import serve as serve
from kit.small_arrays import NAMES, refusal, same, small
from kit.small_arrays import bare_environment as bare_environment  # autouse, once it is here
from kit.small_arrays import own_registry as own_registry  # and this
from trainscape.datasets import (
    Arrays,
    Dataset,
    Raw,
    _raw,
    digest,
    load,
    prepare,
    registry,
)
from trainscape.datasets._idx import idx_images

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]
NAMED = Path(os.environ.get("TRAINSCAPE_RAW") or Path(__file__).parents[2] / "shared" / "data")
REAL = NAMED / "mnist" if (NAMED / "mnist").is_dir() else NAMED

DEBIAN = Path("/usr/share/datasets")  # where its package dataset-fashion-mnist lies
FASHION = next((p for p in (NAMED, DEBIAN) if (p / "fashion-mnist").is_dir()), None)

needs_fashion = pytest.mark.skipif(
    FASHION is None,
    reason="needs Fashion-MNIST's packed files: Debian's dataset-fashion-mnist, or TRAINSCAPE_RAW",
)
needs_mnist = pytest.mark.skipif(
    not (REAL / f"{FILES[0]}.gz").is_file(),
    reason="needs MNIST's packed files; name their folder by TRAINSCAPE_RAW",
)


def idx(array: Any) -> bytes:
    """An array of bytes in idx form."""
    shape = b"".join(length.to_bytes(4, "big") for length in array.shape)
    values: bytes = array.astype(np.uint8).tobytes()
    return bytes([0, 0, 8, array.ndim]) + shape + values


def md5(content: bytes) -> str:
    """The md5 that torchvision and our pins compare."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


CONTENT = {file: idx(getattr(small(), name)) for file, name in zip(FILES, NAMES, strict=True)}
PACKED = {f"{file}.gz": gzip.compress(content, mtime=0) for file, content in CONTENT.items()}
MD5 = {file: md5(content) for file, content in CONTENT.items()}
SUMS = {file: md5(content) for file, content in PACKED.items()}


def make(folder: Path, source: Path | None = None, mirror: str | None = CLOSED) -> Arrays:
    """The small idx dataset; without a server unless a mirror is given."""
    return idx_images("mnist", "MNIST", MD5, Raw(folder, source, mirror))


def lay(folder: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes]], None]:
    """Makes torchvision expect given packed files; its download code stays as it is."""
    from torchvision import datasets

    def expect(packed: dict[str, bytes]) -> None:
        sums = [(name, md5(content)) for name, content in packed.items()]
        monkeypatch.setattr(datasets.MNIST, "resources", sums)

    expect(PACKED)
    return expect


class TestFilesThatAreThere:
    """Raw files on this machine go before any server."""

    @pytest.mark.parametrize("files", [CONTENT, PACKED], ids=["unpacked", "packed"])
    def test_raw_folder_comes_first(self, files: dict[str, bytes], tmp_path: Path) -> None:
        """Whole files in the raw folder are used without asking anyone."""
        lay(tmp_path / "MNIST" / "raw", files)
        assert same(make(tmp_path), small())
        assert (tmp_path / "MNIST" / "raw" / FILES[0]).read_bytes() == CONTENT[FILES[0]]

    @pytest.mark.parametrize("below", ["", "mnist", "MNIST/raw"])
    @pytest.mark.parametrize("files", [CONTENT, PACKED], ids=["unpacked", "packed"])
    def test_users_folder(self, files: dict[str, bytes], below: str, tmp_path: Path) -> None:
        """Files in the user's folder are unpacked into the raw folder and used."""
        lay(tmp_path / "own" / below, files)
        assert same(make(tmp_path / "raw", tmp_path / "own"), small())
        home = tmp_path / "raw" / "MNIST" / "raw"
        assert {path.name: path.read_bytes() for path in home.iterdir()} == CONTENT

    def test_no_torch(self, tmp_path: Path) -> None:
        """Nothing imports torch, torchvision or scikit-learn while the files are there."""
        lay(tmp_path / "MNIST" / "raw", PACKED)
        code = (
            "import json, pathlib, sys\n"
            "import trainscape.datasets as d\n"
            "d.registry.get('digits'), d.registry.get('mnist')\n"
            "assert 'numpy' not in sys.modules\n"
            "from trainscape.datasets._idx import idx_images\n"
            "folder = pathlib.Path(sys.argv[1])\n"
            "idx_images('mnist', 'MNIST', json.loads(sys.argv[2]), d.Raw(folder))\n"
            "d.prepare('digits', folder, folder)\n"
            "print({'torch', 'torchvision', 'sklearn'} & {*sys.modules})\n"
        )
        command = [sys.executable, "-c", code, str(tmp_path), json.dumps(MD5)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert done.stdout == "set()\n"

    @pytest.mark.parametrize(
        "bad",
        [
            {FILES[0]: CONTENT[FILES[0]][:-1]},
            {FILES[0]: CONTENT[FILES[0]][:-1] + b"\7"},
            {f"{FILES[0]}.gz": PACKED[f"{FILES[0]}.gz"][:-30]},
            {f"{FILES[0]}.gz": PACKED[f"{FILES[0]}.gz"][:-30] + b"\7" * 30},
            {f"{FILES[0]}.gz": b"<html>sign in to the network</html>"},
        ],
        ids=["truncated", "altered", "packed truncated", "packed altered", "html"],
    )
    def test_damaged_file_is_replaced(
        self, bad: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A damaged raw file is named, and a whole one from the next place is used."""
        home = tmp_path / "raw" / "MNIST" / "raw"
        lay(home, {**CONTENT} | bad)
        if FILES[0] not in bad:
            (home / FILES[0]).unlink()
        lay(tmp_path / "own", PACKED)
        assert same(make(tmp_path / "raw", tmp_path / "own"), small())
        assert f"{home / next(iter(bad))} is damaged" in capsys.readouterr().err
        assert (home / FILES[0]).read_bytes() == CONTENT[FILES[0]]

    def test_missing_folder(self, tmp_path: Path) -> None:
        """A folder that is not there is refused by its name."""
        said = refusal(lambda: make(tmp_path, tmp_path / "nowhere"))
        assert "--from" in said and "TRAINSCAPE_RAW" in said and "nowhere" in said

    def test_environment(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """TRAINSCAPE_RAW and TRAINSCAPE_MIRROR stand in for the options, which go before them."""
        seen: list[Raw] = []

        def record(raw: Raw) -> Arrays:
            seen.append(raw)
            return small()

        registry.add("seen", Dataset("seen", 6, 3, digest(small()), record), __file__)
        monkeypatch.setenv("TRAINSCAPE_RAW", "/a/folder")
        monkeypatch.setenv("TRAINSCAPE_MIRROR", "http://a")
        prepare("seen", tmp_path / "1", tmp_path)
        prepare("seen", tmp_path / "2", tmp_path, Path("/b"), "http://b")
        monkeypatch.setenv("TRAINSCAPE_RAW", "")
        monkeypatch.setenv("TRAINSCAPE_MIRROR", "")
        prepare("seen", tmp_path / "3", tmp_path)
        assert seen == [
            Raw(tmp_path, Path("/a/folder"), "http://a"),
            Raw(tmp_path, Path("/b"), "http://b"),
            Raw(tmp_path, None, None),
        ]


@pytest.mark.usefixtures("published")
class TestDownload:
    """Torchvision's own download, against a server on this machine."""

    @pytest.mark.parametrize("below", ["", "mnist/"])
    def test_mirror(self, below: str, serve: Serve, tmp_path: Path) -> None:
        """Files come from the mirror, or from its folder of the dataset's name."""
        url = serve({below + name: content for name, content in PACKED.items()})
        assert same(make(tmp_path, mirror=url), small())
        found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
        assert found == {f"MNIST/raw/{file}" for file in FILES}

    def test_public_servers(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Without a mirror torchvision's own servers are asked, the second if the first fails."""
        from torchvision import datasets

        monkeypatch.setattr(datasets.MNIST, "mirrors", [CLOSED, serve(PACKED)])
        assert same(make(tmp_path, mirror=None), small())

    def test_torchvision_reads_the_same(self, serve: Serve, tmp_path: Path) -> None:
        """The files lie where torchvision looks for them, and it reads the same arrays."""
        from torchvision import datasets

        arrays = make(tmp_path, mirror=serve(PACKED))
        theirs = datasets.MNIST(tmp_path, train=True, download=False)
        assert np.array_equal(arrays.x_train, theirs.data.numpy())
        assert np.array_equal(arrays.y_train, theirs.targets.numpy())

    def test_half_unpacked_file_is_downloaded_anew(
        self, serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A file cut short, which torchvision itself would train on, is named and replaced."""
        home = tmp_path / "MNIST" / "raw"
        lay(home, {**CONTENT, FILES[2]: CONTENT[FILES[2]][:40]})
        assert same(make(tmp_path, mirror=serve(PACKED)), small())
        assert f"{home / FILES[2]} is damaged" in capsys.readouterr().err
        assert (home / FILES[2]).read_bytes() == CONTENT[FILES[2]]

    def failure(self, folder: Path, mirror: str) -> str:
        """The refusal of a download that cannot work; nothing may be left in the raw folder."""
        said = refusal(lambda: make(folder, mirror=mirror))
        assert "cannot download" in said and FILES[0] in said and mirror in said
        for way in ("--from", "TRAINSCAPE_RAW", "--mirror", "TRAINSCAPE_MIRROR", "MNIST/raw"):
            assert way in said
        assert not [path for path in folder.rglob("*") if path.is_file()]
        return said

    def test_connection_cut(self, serve: Serve, tmp_path: Path) -> None:
        """A download that breaks off in the middle is refused and leaves nothing."""
        self.failure(tmp_path, serve(PACKED, cut=True))

    def test_not_found(self, serve: Serve, tmp_path: Path) -> None:
        """A server without the files is named with its answer."""
        assert "404" in self.failure(tmp_path, serve({}))

    def test_altered_package(self, serve: Serve, tmp_path: Path) -> None:
        """Packages that are not the published ones are refused by torchvision's own check."""
        altered = {n: gzip.compress(gzip.decompress(c) + b"\0") for n, c in PACKED.items()}
        self.failure(tmp_path, serve(altered))

    def test_altered_content(
        self, serve: Serve, published: Callable[[dict[str, bytes]], None], tmp_path: Path
    ) -> None:
        """Content that torchvision lets pass is still held against our own pins."""
        altered = {n: gzip.compress(gzip.decompress(c)[:-1] + b"\1") for n, c in PACKED.items()}
        published(altered)
        assert "not the published content" in self.failure(tmp_path, serve(altered))

    def test_unreachable(self, tmp_path: Path) -> None:
        """Without a network one line says how to bring the files."""
        assert "refused" in self.failure(tmp_path, CLOSED)

    def test_silent_server(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """A server that never answers does not hang the job."""
        monkeypatch.setattr(_raw, "TIMEOUT", 0.2)
        assert "timed out" in self.failure(tmp_path, serve({}, hang=True))

    def test_whole_files_of_a_broken_download_are_kept(self, serve: Serve, tmp_path: Path) -> None:
        """When one file fails, those that came whole need no second download."""
        files = {name: content for name, content in PACKED.items() if FILES[3] not in name}
        said = refusal(lambda: make(tmp_path, mirror=serve(files)))
        assert f"cannot download {FILES[3]} (" in said
        assert {p.name for p in (tmp_path / "MNIST" / "raw").iterdir()} == {*FILES[:3]}

    def test_mirror_must_be_a_url(self, tmp_path: Path) -> None:
        """What is no URL is refused by its option's name."""
        said = refusal(lambda: make(tmp_path, mirror="example.org/mnist"))
        assert "--mirror" in said and "'example.org/mnist'" in said


class TestPackedPins:
    """KMNIST's files are known by the md5 of their packed form alone."""

    def made(self, folder: Path, source: Path | None = None, mirror: str = CLOSED) -> Arrays:
        """The small idx dataset, pinned by its packed files."""
        return idx_images("kmnist", "KMNIST", SUMS, Raw(folder, source, mirror))

    @pytest.mark.parametrize("below", ["", "kmnist", "KMNIST/raw"])
    def test_users_folder(self, below: str, tmp_path: Path) -> None:
        """Packed files are kept packed, as they were published."""
        lay(tmp_path / "own" / below, PACKED)
        assert same(self.made(tmp_path / "raw", tmp_path / "own"), small())
        home = tmp_path / "raw" / "KMNIST" / "raw"
        assert {path.name: path.read_bytes() for path in home.iterdir()} == PACKED

    def test_unpacked_files_are_not_taken(self, tmp_path: Path) -> None:
        """What cannot be checked is not used: the packed files are asked for by name."""
        lay(tmp_path / "KMNIST" / "raw", CONTENT)
        said = refusal(lambda: self.made(tmp_path))
        assert f"cannot download {FILES[0]}.gz, " in said

    def test_damaged_file_is_replaced(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A file packed anew is another file: it is named, and the published one is used."""
        name = f"{FILES[0]}.gz"
        home = tmp_path / "raw" / "KMNIST" / "raw"
        lay(home, {**PACKED, name: gzip.compress(CONTENT[FILES[0]], 1, mtime=1)})
        lay(tmp_path / "own", PACKED)
        assert same(self.made(tmp_path / "raw", tmp_path / "own"), small())
        assert f"{home / name} is damaged" in capsys.readouterr().err
        assert (home / name).read_bytes() == PACKED[name]

    def test_download(self, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Torchvision downloads them from the mirror's folder of the dataset's name."""
        from torchvision import datasets

        monkeypatch.setattr(datasets.KMNIST, "resources", list(SUMS.items()))
        url = serve({f"kmnist/{name}": content for name, content in PACKED.items()})
        assert same(self.made(tmp_path, mirror=url), small())

    def test_pins_are_torchvisions(self) -> None:
        """The published md5s are the ones that torchvision carries."""
        from torchvision import datasets

        from trainscape.datasets import kmnist

        assert dict(datasets.KMNIST.resources) == kmnist.MD5


@needs_fashion
class TestFashionMnist:
    """The published pictures."""

    def test_pin(self, tmp_path: Path) -> None:
        """The published files give the pinned content, and the grey levels that authors state."""
        prepare("fashion-mnist", tmp_path, tmp_path / "raw", FASHION)
        arrays, entry = load("fashion-mnist", tmp_path), registry.get("fashion-mnist")
        assert arrays.x_train.shape == (entry.train, 28, 28) == (60_000, 28, 28)
        assert arrays.x_test.shape == (entry.test, 28, 28) == (10_000, 28, 28)
        assert arrays.y_train[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
        assert round(float(arrays.x_train.mean()) / 255, 4) == 0.2860
        assert round(float(arrays.x_train.std()) / 255, 4) == 0.3530


@needs_mnist
class TestMnist:
    """The published files."""

    def test_pin(self, tmp_path: Path) -> None:
        """The published files give the pinned content."""
        prepare("mnist", tmp_path, tmp_path / "raw", REAL)
        arrays, entry = load("mnist", tmp_path), registry.get("mnist")
        assert arrays.x_train.shape == (entry.train, 28, 28) == (60_000, 28, 28)
        assert arrays.x_test.shape == (entry.test, 28, 28) == (10_000, 28, 28)
        assert arrays.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
        assert round(float(arrays.x_train.mean()) / 255, 4) == 0.1307

    def test_download(
        self, serve: Serve, published: Callable[[dict[str, bytes]], None], tmp_path: Path
    ) -> None:
        """A download by torchvision of the published packages gives the pinned content."""
        from torchvision import datasets

        public = dict(datasets.MNIST.resources)
        packed = {f"{file}.gz": (REAL / f"{file}.gz").read_bytes() for file in FILES}
        published(packed)  # a copy may be packed anew: then only its package's md5 is its own
        prepare("mnist", tmp_path, tmp_path / "raw", mirror=serve(packed))
        assert digest(load("mnist", tmp_path)) == registry.get("mnist").sha256
        assert set(public) == set(packed)
