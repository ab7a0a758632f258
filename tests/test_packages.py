"""The two Snakemake plugins can be installed alone, and along with Trainscape."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import snakemake_executor_plugin_fuse as fuse
import snakemake_logger_plugin_trainscape as logger

ROOT = Path(__file__).resolve().parents[1]
# Without `site`, so that what is installed for editing, as this project, is not found.
ALONE = ("-I", "-S", "-c")
SETUP = """
import importlib.util, sys
sys.path += sys.argv[1:]
assert importlib.util.find_spec("trainscape") is None
"""
FUSE = """
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry
from snakemake_executor_plugin_fuse import process
plugin = ExecutorPluginRegistry().get_plugin("fuse")
assert plugin.settings_cls().max_jobs == 2000
assert process.GUARD.is_file()
print(process.__file__)
"""
LOGGER = """
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry
import snakemake_logger_plugin_trainscape as logger
assert LoggerPluginRegistry().get_plugin("trainscape").log_handler is logger.LogHandler
logger.announce([], {"a": "b"})
print(logger.__file__)
"""


def wheel(source: Path, folder: Path) -> Path:
    """Build a wheel from a folder, as pip does, without the network; the wheel's content."""
    made = folder / "wheel"
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--no-index", "--quiet", "--wheel-dir", str(made), str(source)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (file,) = made.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder / "content")
    return folder / "content"


@pytest.mark.parametrize(("plugin", "code"), [(fuse, FUSE), (logger, LOGGER)])
def test_a_plugin_is_installed_from_its_folder_alone(
    plugin: object, code: str, tmp_path: Path
) -> None:
    """A wheel of the folder holds all modules; Snakemake finds the plugin, without Trainscape."""
    folder = Path(str(plugin.__file__)).parent  # type: ignore[attr-defined]
    shutil.copytree(folder, tmp_path / folder.name)  # a build leaves files where it is done
    content = wheel(tmp_path / folder.name, tmp_path)
    made = {path.name for path in (content / folder.name).iterdir()}
    assert made == {path.name for path in folder.glob("*.py")}
    paths = [str(content), sysconfig.get_path("purelib")]
    done = subprocess.run(
        [sys.executable, *ALONE, SETUP + code, *paths], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(content))


def test_trainscape_brings_both_plugins_along(tmp_path: Path) -> None:
    """Its wheel holds the three packages, and no file that belongs to a plugin's own packaging."""
    project = tmp_path / "project"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", project / "src", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    left = project / "src" / fuse.__name__ / "build" / "lib" / "left.py"
    left.parent.mkdir(parents=True)
    left.touch()
    content = wheel(project, tmp_path)
    packages = {path.name for path in content.iterdir() if path.suffix != ".dist-info"}
    assert packages == {"trainscape", fuse.__name__, logger.__name__}
    for name in (fuse.__name__, logger.__name__):
        made = {path.name for path in (content / name).iterdir()}
        assert made == {path.name for path in (ROOT / "src" / name).glob("*.py")}


def test_the_plugins_import_nothing_of_trainscape() -> None:
    """Trainscape may use a plugin, never the other way."""
    for plugin in (fuse, logger):
        for file in Path(str(plugin.__file__)).parent.glob("*.py"):
            assert not re.search(r"^\s*(from|import) trainscape\b", file.read_text(), re.MULTILINE)
