"""The command line: its help, and the report that it opens."""

from __future__ import annotations

import errno
import json
import os
import sys
import webbrowser
from pathlib import Path

import pytest

from trainscape import cli, study
from trainscape.cli import main
from trainscape.pipeline.layout import Layout

STUDY = {
    "name": "tiny",
    "output": "results-tiny",
    "budget": {"epochs": 1},
    "throughput": {"enabled": False},
    "grid": {"optimizer": ["sgd"], "batch_size": [256], "lr": [0.1], "schedule": ["constant"]},
}
WORKFLOWS = {"targets", "train", "propose", "choose", "make"}
YOURS = {"cells", "estimate", "open", "diff", "which", "verify", "rekey", "data", "schema"}


@pytest.fixture(autouse=True)
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A folder with a study, a screen, and the addresses that a browser has opened."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(json.dumps(STUDY))
    Path("other.yaml").write_text(json.dumps(STUDY))
    addresses: list[str] = []

    def seen(url: str) -> bool:
        addresses.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", seen)
    for name in ("BROWSER", "SSH_CONNECTION", "SSH_TTY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    return addresses


@pytest.fixture
def page() -> Path:
    """The study's report, as its stamp says."""
    layout = Layout(study.read(Path("params.yaml")))
    for file in (*layout.products("report"), layout.stamp("report"), "results-tiny/.study"):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text("tiny\n")
    return Path("results-tiny/report.html")


def test_the_help_has_your_commands_and_the_workflows(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command stands once, in its group, in lines that a terminal holds."""
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    yours, workflows = text.split("\nyours:\n")[1].split("\nthe workflow's (")

    def commands(block: str) -> set[str]:
        lines = block.splitlines()
        return {line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "}

    assert commands(yours) == YOURS
    assert commands(workflows) == WORKFLOWS
    assert all(len(line) <= 82 for line in text.splitlines())


def test_open_prints_the_path_and_opens_the_page(
    page: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The path, its address, and a browser; with --print no browser."""
    address = page.resolve().as_uri()
    assert main(["open"]) == 0
    assert capsys.readouterr() == (f"{page}\n{address}\n", "")
    assert opened == [address]
    assert main(["open", "--print"]) == 0
    assert capsys.readouterr() == (f"{page}\n{address}\n", "")
    assert opened == [address]


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param(
            {"DISPLAY": ""},
            marks=pytest.mark.skipif(sys.platform != "linux", reason="elsewhere none is needed"),
        ),
        {"SSH_CONNECTION": "a 1 b 22"},
    ],
)
def test_open_without_a_screen_says_the_path_alone(
    page: Path,
    opened: list[str],
    variables: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No browser for text takes the terminal, and nothing fails."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["open"]) == 0
    out, said = capsys.readouterr()
    assert out.splitlines()[0] == str(page)
    assert said == "trainscape: no browser is seen here; open the page yourself\n"
    assert opened == []


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ([], "snakemake --cores all"),
        (["--study", "other.yaml"], "snakemake --cores all --configfile other.yaml"),
        (["--configfile", "other.yaml"], "snakemake --cores all --configfile other.yaml"),
    ],
)
def test_open_names_the_command_that_makes_a_missing_page(
    words: list[str], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, with the parameter file where it is not params.yaml."""
    assert main(["open", *words]) == 2
    said = capsys.readouterr().err
    assert said == f"trainscape: results-tiny/report.html: is not made yet; '{command}' makes it\n"


def test_open_says_that_a_page_is_older_than_its_study(
    page: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The page opens, and a line says that the study has changed since."""
    Path("params.yaml").write_text(json.dumps({**STUDY, "margin": 0.01}))
    assert main(["open"]) == 0
    assert opened == [page.resolve().as_uri()]
    assert "the page is not that of the study as it is now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (errno.ENOSPC, "trainscape: a.csv: cannot be read or written: No space left on device\n"),
        (errno.EROFS, "trainscape: a.csv: cannot be read or written: Read-only file system\n"),
    ],
)
def test_what_a_disk_refuses_is_a_line(
    number: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever was about to be written; what nobody foresaw keeps its traceback."""

    def fail(_: object) -> None:
        raise OSError(number, os.strerror(number), "a.csv")

    monkeypatch.setattr(cli, "_schema", fail)
    assert main(["schema"]) == 2
    assert capsys.readouterr().err == line
    number = errno.ENOENT
    with pytest.raises(FileNotFoundError):
        main(["schema"])


def test_options_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    """``--config`` is another option of snakemake's than ``--configfile``."""
    with pytest.raises(SystemExit):
        main(["verify", "--config", "seeds=2"])
    assert "unrecognized arguments: --config seeds=2" in capsys.readouterr().err
