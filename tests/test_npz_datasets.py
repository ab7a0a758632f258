"""A user's own arrays in a .npz file, as a dataset."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kit.small_arrays import bare_environment as bare_environment  # autouse, once it is here
from kit.small_arrays import own_registry as own_registry  # and this
from kit.small_arrays import refusal, same
from trainscape.datasets import Arrays, digest, load, npz_dataset, prepare, registry

if TYPE_CHECKING:
    from pathlib import Path


PLUGIN = "from trainscape.datasets import npz_dataset\nnpz_dataset('own', 'own.npz')\n"


def plug_in(folder: Path, arrays: dict[str, Any] | None) -> None:
    """Write a user's data, if given, and a plugin beside it, and run the plugin."""
    if arrays is not None:
        np.savez(folder / "own.npz", **arrays)
    plugin = folder / "plugin.py"
    plugin.write_text(PLUGIN)
    exec(compile(PLUGIN, str(plugin), "exec"), {})


def floats() -> dict[str, Any]:
    """A user's regression data."""
    x = np.linspace(0, 1, 30, dtype=np.float32).reshape(10, 3)
    y = np.arange(10, dtype=np.float64)
    return {"x_train": x[:7], "y_train": y[:7], "x_test": x[7:], "y_test": y[7:]}


class TestNpz:
    """A user's own data."""

    def test_becomes_a_dataset(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A user's file is a dataset like any other, found beside its plugin from any folder."""
        (tmp_path / "plugins").mkdir()
        monkeypatch.chdir(tmp_path)
        plug_in(tmp_path / "plugins", floats())
        entry = registry.get("own")
        assert (entry.train, entry.test) == (7, 3)
        assert registry.source("own") == tmp_path / "plugins" / "plugin.py"
        prepare("own", tmp_path / "data", tmp_path / "raw")
        assert same(load("own", tmp_path / "data"), Arrays(**floats()))
        assert entry.sha256 == digest(Arrays(**floats()))

    def test_change_is_another_dataset(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Edited data has another hash, and the copy under data/ is replaced."""
        plug_in(tmp_path, floats())
        before = registry.get("own").sha256
        prepare("own", tmp_path / "data", tmp_path)
        changed = {**floats(), "y_test": np.ones(3)}
        plug_in(tmp_path, changed)
        assert registry.get("own").sha256 != before
        prepare("own", tmp_path / "data", tmp_path)
        assert "content hash" in capsys.readouterr().err
        assert same(load("own", tmp_path / "data"), Arrays(**changed))

    def test_foreign_byte_order(self, tmp_path: Path) -> None:
        """Big-endian data becomes native, as torch reads no other."""
        plug_in(
            tmp_path, {name: a.astype(a.dtype.newbyteorder(">")) for name, a in floats().items()}
        )
        prepare("own", tmp_path / "data", tmp_path)
        assert same(load("own", tmp_path / "data"), Arrays(**floats()))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"x_test": None}, "lacks x_test; it holds x_train, y_train, y_test"),
            ({"x_test": None, "y_test": None}, "lacks x_test, y_test"),
            ({"y_train": np.zeros(6)}, "x_train has 7 examples, y_train has 6"),
            ({"x_train": np.zeros((0, 3))}, "x_train is empty"),
            ({"x_train": np.zeros((7, 0))}, "x_train is empty"),
            ({"y_test": np.float64(3)}, "y_test is a single number"),
            ({"y_test": np.array([1, "a", None], dtype=object)}, "y_test cannot be read"),
            ({"y_test": np.array(["a", "b", "c"])}, "y_test holds <U1"),
            ({"y_test": np.array([1j, 2, 3])}, "y_test holds complex128"),
            ({"x_train": np.full((7, 3), np.nan)}, "x_train holds 21 values that are NaN"),
            ({"x_test": np.zeros((3, 4), np.float32)}, "x_train is float32 (3,), of x_test"),
            ({"y_test": np.zeros(3, np.float32)}, "y_train is float64 (), of y_test float32 ()"),
        ],
    )
    def test_unfit_arrays(self, change: dict[str, Any], message: str, tmp_path: Path) -> None:
        """What cannot be trained on is refused by dataset, file and array."""
        arrays = {name: a for name, a in {**floats(), **change}.items() if a is not None}
        said = refusal(lambda: plug_in(tmp_path, arrays))
        assert message in said
        assert "dataset 'own'" in said and str(tmp_path / "own.npz") in said

    def test_missing_file(self, tmp_path: Path) -> None:
        """A file that is not there is named in full."""
        said = refusal(lambda: plug_in(tmp_path, None))
        assert f"{tmp_path / 'own.npz'}: no such file" in said

    @pytest.mark.parametrize("cut", [0, 100, -1])
    def test_damaged_file(self, cut: int, tmp_path: Path) -> None:
        """A file that is cut short, or is no .npz, is refused."""
        whole = io.BytesIO()
        np.savez(whole, **floats())
        (tmp_path / "own.npz").write_bytes(whole.getvalue()[:cut])
        assert "not a whole .npz file" in refusal(lambda: plug_in(tmp_path, None))

    def test_single_array_file(self, tmp_path: Path) -> None:
        """A lone .npy under an .npz name is refused."""
        with (tmp_path / "own.npz").open("wb") as file:
            np.save(file, np.zeros(3))
        assert "not a whole .npz file" in refusal(lambda: plug_in(tmp_path, None))

    def test_taken_name(self, tmp_path: Path) -> None:
        """A built-in dataset cannot be replaced unnoticed."""
        np.savez(tmp_path / "own.npz", **floats())
        said = refusal(lambda: npz_dataset("digits", tmp_path / "own.npz"))
        assert "'digits'" in said and "already taken" in said
