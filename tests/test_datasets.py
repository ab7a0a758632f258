"""Datasets: their digest, their files under ``data/``, the embedded one and a user's own."""

from __future__ import annotations

import hashlib
import os
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kit.small_arrays import NAMES, refusal, same, small
from kit.small_arrays import bare_environment as bare_environment  # autouse, once it is here
from kit.small_arrays import own_registry as own_registry  # and this
from trainscape.datasets import (
    Arrays,
    Dataset,
    dataset,
    digest,
    load,
    prepare,
    registry,
)
from trainscape.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def tiny() -> Dataset:
    """A registered dataset of :func:`small` arrays."""
    arrays = small()
    entry = Dataset("tiny", 6, 3, digest(arrays), lambda _: arrays)
    registry.add("tiny", entry, __file__)
    return entry


class TestDigest:
    """The content hash that pins datasets and keys cells."""

    def test_golden(self) -> None:
        """The digest of given content never changes: results in other places are keyed by it."""
        arrays = Arrays(
            np.arange(8, dtype=np.uint8).reshape(2, 2, 2),
            np.array([0, 1], dtype=np.int64),
            np.array([[[0.5, -1.0], [2.0, 3.0]]], dtype=np.float32),
            np.array([1], dtype=np.int64),
        )
        assert digest(arrays) == "7a9e9681df883e3cbc72067663de5d7a117d6dff9be9729174a042a17f58a61a"

    def test_is_the_documented_hash(self) -> None:
        """It is sha256 over name, dtype, shape and bytes of each array, in order."""
        text = b""
        for name in NAMES:
            array = getattr(small(), name)
            shape = "x".join(str(length) for length in array.shape)
            text += f"{name} {array.dtype.str} {shape}\n".encode() + array.tobytes()
        assert digest(small()) == hashlib.sha256(text).hexdigest()

    @pytest.mark.parametrize(
        "change",
        [
            {"x_train": np.zeros((6, 4, 4), np.uint8)},
            {"x_train": small().x_train.reshape(6, 2, 8)},
            {"x_train": small().x_train.view(np.int8)},
            {"y_train": small().y_train.astype(np.int32)},
            {"y_train": small().y_train[::-1]},
            {"x_test": small().x_train, "y_test": small().y_train},
        ],
    )
    def test_sees_every_change(self, change: dict[str, Any]) -> None:
        """Another value, shape, type or order is another digest."""
        assert digest(small(**change)) != digest(small())

    def test_ignores_layout(self) -> None:
        """Memory layout and byte order are no content."""
        x, y = small().x_train, small().y_train
        assert digest(small(x_train=np.asfortranarray(x))) == digest(small())
        assert digest(small(y_train=y.astype(">i8"))) == digest(small())


@pytest.mark.usefixtures("tiny")
class TestStore:
    """``data/<name>.npz``: written whole, never read unchecked."""

    def test_round_trip(self, tiny: Dataset, tmp_path: Path) -> None:
        """What is prepared is loaded, by name or by entry."""
        assert prepare("tiny", tmp_path, tmp_path / "raw") == tmp_path / "tiny.npz"
        assert same(load("tiny", tmp_path), small())
        assert same(load(tiny, tmp_path), small())

    def test_bytes_are_determined(self, tmp_path: Path) -> None:
        """Equal content gives equal bytes: no clock, no compression that differs between builds."""
        one, two = (prepare("tiny", tmp_path / n, tmp_path / "raw") for n in "ab")
        assert one.read_bytes() == two.read_bytes()
        with zipfile.ZipFile(one) as file:
            assert [member.filename for member in file.infolist()] == [f"{n}.npy" for n in NAMES]
            assert {member.date_time for member in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            assert {member.compress_type for member in file.infolist()} == {zipfile.ZIP_STORED}

    def test_right_file_is_kept(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A right file is not written again, and nothing is said."""
        path = prepare("tiny", tmp_path, tmp_path / "raw")
        os.utime(path, ns=(1, 1))
        before = path.stat()
        prepare("tiny", tmp_path, tmp_path / "raw")
        after = path.stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize(
        "damage",
        [
            lambda whole: whole[:0],
            lambda whole: whole[: len(whole) // 2],
            lambda whole: whole[:-1],
            lambda whole: b"<html>404 Not Found</html>"[: len(whole)],
            lambda whole: whole.replace(small().x_train.tobytes(), bytes(96)),
        ],
        ids=["empty", "half", "short", "html", "altered"],
    )
    def test_damage_is_refused_then_replaced(
        self,
        damage: Callable[[bytes], bytes],
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A damaged file is refused by name when read, and named and replaced when prepared."""
        path = prepare("tiny", tmp_path, tmp_path / "raw")
        whole = path.read_bytes()
        path.write_bytes(damage(whole))
        said = refusal(lambda: load("tiny", tmp_path))
        assert str(path) in said and "trainscape data tiny" in said
        prepare("tiny", tmp_path, tmp_path / "raw")
        assert str(path) in capsys.readouterr().err
        assert path.read_bytes() == whole

    def test_no_flipped_byte_passes(self, tiny: Dataset, tmp_path: Path) -> None:
        """Whichever byte is altered, loading gives the right content or refuses."""
        path = prepare("tiny", tmp_path, tmp_path / "raw")
        whole, refused = path.read_bytes(), 0
        for place in range(len(whole)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
            try:
                assert same(load(tiny, tmp_path), small())
            except UserError:
                refused += 1
        assert refused > len(whole) // 2

    def test_other_content_is_refused(self, tmp_path: Path) -> None:
        """A whole file with other content is no such dataset."""
        np.savez(tmp_path / "tiny.npz", **vars(small(y_test=np.zeros(3, dtype=np.int64))))
        assert "content hash" in refusal(lambda: load("tiny", tmp_path))

    def test_pickles_are_refused(self, tmp_path: Path) -> None:
        """A file that holds Python objects is refused unopened: unpickling runs code."""
        objects = np.array([print, None, 3], dtype=object)
        np.savez(tmp_path / "tiny.npz", **vars(small(y_test=objects)))
        assert "damaged" in refusal(lambda: load("tiny", tmp_path))

    def test_missing_file(self, tmp_path: Path) -> None:
        """A missing file is named, with the command that makes it."""
        said = refusal(lambda: load("tiny", tmp_path))
        assert said == f"{tmp_path / 'tiny.npz'} is missing; make it with: trainscape data tiny"

    def test_unreadable_file(self, tmp_path: Path) -> None:
        """A path that cannot be read at all is not called damaged."""
        (tmp_path / "tiny.npz").mkdir()
        assert "cannot be read" in refusal(lambda: prepare("tiny", tmp_path, tmp_path / "raw"))

    def test_pin_is_enforced(self, tmp_path: Path) -> None:
        """Content that differs from the pin is refused by name and not written."""
        registry.add("off", Dataset("off", 6, 3, "0" * 64, lambda _: small()), __file__)
        said = refusal(lambda: prepare("off", tmp_path, tmp_path / "raw"))
        assert "'off'" in said and digest(small())[:12] in said and "000000000000" in said
        assert not (tmp_path / "off.npz").exists()

    def test_unknown_name(self, tmp_path: Path) -> None:
        """A mistyped dataset is answered with the nearest one."""
        assert "'mnist'" in refusal(lambda: prepare("mnits", tmp_path, tmp_path))
        assert "'digits'" in refusal(lambda: load("digit", tmp_path))

    def test_unwritable_folder(self, tmp_path: Path) -> None:
        """A folder that cannot be made is named in one line."""
        (tmp_path / "file").write_text("")
        said = refusal(lambda: prepare("tiny", tmp_path / "file" / "data", tmp_path / "raw"))
        assert "cannot be written" in said and str(tmp_path / "file") in said


RECIPE = {"file.gz": "d41d8cd98f00b204e9800998ecf8427e", "recipe": 1}


class TestMadeFrom:
    """Datasets that are known by what they are made from: the file states its content's hash."""

    @pytest.fixture(autouse=True)
    def one(self) -> Dataset:
        """A dataset of :func:`small` arrays whose content nobody has pinned."""
        dataset("one", train=6, test=3, made_from=RECIPE)(lambda _: small())
        return registry.get("one")

    def test_identity_is_the_recipes(self, one: Dataset) -> None:
        """It is the hash of the canonical JSON of hashes and version, known before any download."""
        text = '{"file.gz":"d41d8cd98f00b204e9800998ecf8427e","recipe":1}'
        assert one.sha256 == hashlib.sha256(text.encode()).hexdigest()
        dataset("two", train=6, test=3, made_from={**RECIPE, "recipe": 2})(lambda _: small())
        assert registry.get("two").sha256 != one.sha256

    def test_round_trip(self, one: Dataset, tmp_path: Path) -> None:
        """What is prepared is loaded, and left alone from then on."""
        path = prepare("one", tmp_path, tmp_path / "raw")
        before = path.stat().st_ino
        assert same(load(one, tmp_path), small())
        prepare("one", tmp_path, tmp_path / "raw")
        assert path.stat().st_ino == before
        with np.load(path) as file:
            assert str(file["made_from"]) == one.sha256
            assert str(file["content"]) == digest(small())

    def test_no_flipped_byte_passes(self, one: Dataset, tmp_path: Path) -> None:
        """Whichever byte is altered, loading gives the right content or refuses."""
        path = prepare("one", tmp_path, tmp_path / "raw")
        whole, refused = path.read_bytes(), 0
        for place in range(0, len(whole), 3):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
            try:
                assert same(load(one, tmp_path), small())
            except UserError:
                refused += 1
        assert refused > len(whole) // 6

    @pytest.mark.parametrize("kept", [(), ("made_from",), ("made_from", "content")])
    def test_an_edited_file_is_refused_then_replaced(
        self, kept: tuple[str, ...], one: Dataset, tmp_path: Path
    ) -> None:
        """Other arrays under the stated hash are no such dataset, nor are those that state none."""
        path = prepare("one", tmp_path, tmp_path / "raw")
        whole = path.read_bytes()
        stated = {"made_from": one.sha256, "content": digest(small())}
        edited = small(y_test=np.zeros(3, dtype=np.int64))
        np.savez(path, **vars(edited), **{name: stated[name] for name in kept})  # type: ignore[arg-type]
        assert "replace it with: trainscape data one" in refusal(lambda: load(one, tmp_path))
        prepare("one", tmp_path, tmp_path / "raw")
        assert path.read_bytes() == whole

    def test_another_recipe_is_another_dataset(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A file made by an older recipe is whole, but refused, and made again."""
        prepare("one", tmp_path, tmp_path / "raw")
        dataset("one", train=6, test=3, made_from={**RECIPE, "recipe": 2})(lambda _: small())
        assert "by another recipe" in refusal(lambda: load("one", tmp_path))
        prepare("one", tmp_path, tmp_path / "raw")
        assert "is made again" in capsys.readouterr().err
        assert same(load("one", tmp_path), small())

    def test_sizes_are_checked(self, tmp_path: Path) -> None:
        """A maker that gives other counts than it declared is refused by both."""
        dataset("one", train=6, test=4, made_from=RECIPE)(lambda _: small())
        said = refusal(lambda: prepare("one", tmp_path, tmp_path / "raw"))
        assert said == "dataset 'one': has 3 test examples, not 4"

    def test_built_in_identities(self) -> None:
        """The identities of the published datasets never change: results are keyed by them."""
        known = {name: registry.get(name).sha256[:12] for name in ("kmnist", "cifar10")}
        assert known == {"kmnist": "adcd980f3753", "cifar10": "3b52466e6e29"}


class TestDigits:
    """The embedded default."""

    def test_is_scikit_learns(self, tmp_path: Path) -> None:
        """Both splits together are load_digits, every scan once."""
        from sklearn.datasets import load_digits

        prepare("digits", tmp_path, tmp_path / "raw")
        arrays = load("digits", tmp_path)
        theirs = load_digits()
        test = np.zeros(1797, dtype=bool)
        test[np.argsort(theirs.target, kind="stable")[::5]] = True
        assert np.array_equal(arrays.x_train, theirs.images[~test])
        assert np.array_equal(arrays.y_train, theirs.target[~test])
        assert np.array_equal(arrays.x_test, theirs.images[test])
        assert np.array_equal(arrays.y_test, theirs.target[test])

    def test_form(self, tmp_path: Path) -> None:
        """Pixels are 0 to 16 in uint8, labels int64, the test split an even share of each class."""
        prepare("digits", tmp_path, tmp_path / "raw")
        arrays = load("digits", tmp_path)
        entry = registry.get("digits")
        assert arrays.x_train.shape == (entry.train, 8, 8) == (1437, 8, 8)
        assert arrays.x_test.shape == (entry.test, 8, 8) == (360, 8, 8)
        assert arrays.x_train.dtype == np.uint8 and arrays.y_train.dtype == np.int64
        assert (arrays.x_train.min(), arrays.x_train.max()) == (0, 16)
        train, test = np.bincount(arrays.y_train), np.bincount(arrays.y_test)
        assert np.abs(test - (train + test) / 5).max() < 1
