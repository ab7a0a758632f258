"""The command line: the only code that knows arguments. Imports happen inside each subcommand."""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import __version__
from trainscape.errors import UserError
from trainscape.memory import is_lack
from trainscape.numerals import counted
from trainscape.user_lines import telling, told

if TYPE_CHECKING:
    from trainscape.pipeline.layout import Layout
    from trainscape.study import Study

Command = Callable[[argparse.Namespace], int | None]
# What a disk that is full, or another user's, says to whatever comes upon it.
REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
NAMES = 11  # characters that a command's name may take in the help


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; 0 if all is well, 1 if a check failed, 2 for what the user can mend."""
    args = _parser().parse_args(argv)
    command: Command = args.command
    try:
        with telling(of=SystemExit):
            return command(args) or 0
    except UserError as error:
        print(
            *(f"trainscape: {line}" for line in str(error).splitlines()), sep="\n", file=sys.stderr
        )
        return 2
    except BrokenPipeError:  # the reader, such as head, has seen enough
        sys.stderr.close()
        return 0
    except Exception as error:
        if is_lack(error):
            line = f"memory ran out: {told(error)}"
        elif isinstance(error, OSError) and error.errno in REFUSALS:
            line = f"{error.filename or 'a file'}: cannot be read or written: {error.strerror}"
        else:
            raise
        print(f"trainscape: {line}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trainscape",
        usage="trainscape [-h] [--version] COMMAND …",
        description="Map how optimizer, batch size, learning rate and schedule shape training.",
        epilog="Run the study with: snakemake --cores all. Of a command: trainscape COMMAND --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,  # keeps the lists of commands
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"trainscape {__version__}")
    commands = parser.add_subparsers(
        metavar="COMMAND", required=True, prog="trainscape", help=argparse.SUPPRESS
    )
    yours: dict[str, str] = {}
    workflows: dict[str, str] = {}

    def add(
        name: str,
        command: Command,
        text: str,
        study: bool = True,
        to: dict[str, str] = yours,
    ) -> argparse.ArgumentParser:
        to[name] = text
        # no abbreviations: --config is another option of snakemake, not --configfile
        about = text[0].upper() + text[1:] + "."
        sub = commands.add_parser(name, description=about, allow_abbrev=False)
        sub.set_defaults(command=command)
        if study:
            sub.add_argument(
                "--study",
                "--configfile",  # as snakemake calls it
                default="params.yaml",
                metavar="FILE",
                help="parameter file, or a study as JSON (default: params.yaml)",
            )
        return sub

    add(
        "cells",
        _cells,
        "list what is trained, one cell a line: the grid, range tests, finalists on fresh seeds",
    ).add_argument("--paths", action="store_true", help="print the cells' files instead")
    add(
        "estimate", _estimate, "say how many cells, trials and steps, and roughly how long"
    ).add_argument(
        "--device",
        metavar="NAME",
        help="a device to say the time for, such as h200 or xeon (default: this machine)",
    )
    add("open", _open, "say where the report is, and open it in the browser").add_argument(
        "--print", dest="browse", action="store_false", help="say where it is, and no more"
    )
    add("verify", _verify, "check every file of the study").add_argument(
        "--all", action="store_true", help="name each missing file, however many there are"
    )
    add("schema", _schema, "print the JSON schema of parameter files", study=False)
    which = add("which", _which, "find the commit that made a file", study=False)
    which.add_argument("file", metavar="FILE", help="a result, such as results/report.html")
    _add_diff(add("diff", _diff, "say what changed between two versions, and what is only noise"))
    rekey = add(
        "rekey",
        _rekey,
        "after a change of code that should change no number: train a few cells again, and keep "
        "the others if all bits agree",
    )
    rekey.add_argument(
        "--sample",
        type=int,
        default=5,
        metavar="K",
        help="how many cells of each workload and optimizer to train again, spread over batch "
        "sizes; more where a schedule would be left out (default: 5)",
    )
    rekey.add_argument(
        "-n", "--dry-run", action="store_true", help="say what would be done, and do nothing"
    )
    data = add("data", _data, "make datasets, or replace damaged ones")
    data.add_argument("names", nargs="*", metavar="NAME", help="datasets (default: the study's)")
    data.add_argument(
        "--from", dest="source", type=Path, metavar="DIR", help="take raw files from DIR"
    )
    data.add_argument("--mirror", metavar="URL", help="download raw files from URL")
    data.add_argument(
        "--hash",
        nargs=2,
        metavar=("PLUGIN", "NAME"),
        help="print the content hash of a plugin's dataset, for its sha256=",
    )
    data.add_argument(
        "--list",
        action="store_true",
        help="list all datasets, the plugins' too: sizes, what they hold, what models get",
    )
    targets = add(
        "targets", _targets, "print the files of stages, for Snakemake to make", to=workflows
    )
    targets.add_argument(
        "stages",
        nargs="+",
        metavar="STAGE",
        help="data, train, throughput, collect, replay, answer, figures, timings or report",
    )
    train = add("train", _train, "train cells of the study", to=workflows)
    train.add_argument(
        "paths",
        nargs="*",
        metavar="CELL",
        help="files of cells, as 'trainscape cells --paths' prints",
    )
    train.add_argument(
        "--jobs", type=Path, metavar="FILE", help="the fuse executor's list of cells and logs"
    )
    train.add_argument("--again", action="store_true", help="train even what is kept elsewhere")
    propose = add("propose", _propose, "propose a round of the study's search", to=workflows)
    propose.add_argument("file", metavar="ROUND", help="the round's file")
    choose = add("choose", _choose, "choose the finalists of a workload", to=workflows)
    choose.add_argument("file", metavar="FINALISTS", help="the file that is to name them")
    make = add("make", _make, "make one stage's products", to=workflows)
    make.add_argument(
        "stage",
        metavar="STAGE",
        help="settle, throughput, collect, replay, answer, figures, timings or report",
    )
    make.add_argument("--cores", type=int, default=1, metavar="N", help="processes of the replay")
    make.add_argument(
        "--for", dest="awaited", metavar="FILE", help="the stamp or record that is waited for"
    )
    make.add_argument(
        "--benchmarks", type=Path, metavar="FILE", help="what the throughput's suite has measured"
    )
    # argparse knows one list of commands alone: groups that hold nothing but text make two
    parser.add_argument_group("yours", _listed(yours))
    parser.add_argument_group(
        "the workflow's (Snakemake runs them as its jobs)", _listed(workflows)
    )
    return parser


def _listed(commands: Mapping[str, str]) -> str:
    """Commands and what they do, for the help: a line each, or more where it is long."""
    width = max(shutil.get_terminal_size().columns - 4, 40)
    lines = []
    for name, text in commands.items():
        head, *more = textwrap.wrap(text, width - NAMES)
        lines += [f"{name:{NAMES}}{head}", *(" " * NAMES + line for line in more)]
    return "\n".join(lines)


def _add_diff(sub: argparse.ArgumentParser) -> None:
    """The arguments of ``trainscape diff``."""
    what = "a git revision, or a folder or file with trials (default: {})"
    sub.add_argument("before", nargs="?", default="HEAD", metavar="A", help=what.format("HEAD"))
    sub.add_argument("after", nargs="?", metavar="B", help=what.format("the files as they are"))
    sub.add_argument("--results", metavar="FOLDER", help="output folder (default: the study's)")
    sub.add_argument("--workload", metavar="NAME", help="compare this one alone")
    sub.add_argument(
        "--fail-on",
        choices=["worse", "better", "changed"],
        help="exit with 1 if a cell or a mean shift is; changed: either of them",
    )
    form = sub.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print it for a pull request")
    form.add_argument("--json", action="store_true", help="print it as JSON, every cell")
    sub.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="also write a page: a map, mean shifts, every cell",
    )


def _study(args: argparse.Namespace) -> Study:
    from trainscape import study

    if args.study.startswith("{"):
        try:
            values = json.loads(args.study)
        except (ValueError, RecursionError) as error:
            raise UserError(f"--study: is no JSON: {error}") from None
        return study.parse(values, "study")
    return study.read(Path(args.study))


def _layout(args: argparse.Namespace) -> Layout:
    from trainscape.pipeline.layout import Layout

    return Layout(_study(args))


def _cells(args: argparse.Namespace) -> None:
    layout = _layout(args)
    for path, cell in layout.trained.items():
        print(path if args.paths else cell)
    for line in [*layout.progress, *layout.notes]:
        print(line, file=sys.stderr)


def _estimate(args: argparse.Namespace) -> None:
    from trainscape.pipeline.estimate import estimate

    print(estimate(_layout(args), args.device))


def _open(args: argparse.Namespace) -> None:
    from trainscape.pipeline.show import open_report

    open_report(_layout(args), args.study, browse=args.browse)


def _verify(args: argparse.Namespace) -> int:
    from trainscape.pipeline.show import maker
    from trainscape.pipeline.verify import verify

    layout = _layout(args)
    complaints, summary, carried = verify(layout)
    for line in complaints if args.all else summary:
        print(line, file=sys.stderr)
    if len(summary) < len(complaints) and not args.all:
        make = f"'{maker(args.study)}' makes what is missing, 'dvc pull' brings what a remote has"
        print(f"{make}; --all names each file", file=sys.stderr)
    print(
        f"{counted(len(layout.trained), 'cell')}, {counted(len(layout.datasets), 'dataset')}: "
        f"{counted(len(complaints), 'complaint')}"
    )
    if carried:
        print(f"{counted(carried, 'cell')} carried over by sampling; 'trainscape which FILE' tells")
    return 1 if complaints else 0


def _schema(_: argparse.Namespace) -> None:
    from trainscape import study

    print(json.dumps(study.schema(), indent=2, sort_keys=True, ensure_ascii=False))


def _which(args: argparse.Namespace) -> None:
    from trainscape.pipeline.which import which

    print(which(Path(args.file)))


def _diff(args: argparse.Namespace) -> int:
    from trainscape.pipeline.diff import as_json, diff
    from trainscape.pipeline.revisions import version
    from trainscape.report import _changes as words

    before, after = (version(of, args.study, args.results) for of in (args.before, args.after))
    made = diff(before, after, args.workload)
    for doubt in filter(None, (before.doubt(), after.doubt())):
        print(f"trainscape: {doubt}", file=sys.stderr)
    if args.html:
        from trainscape.report import _changes_page

        _changes_page.write(made, args.html)
    text = words.markdown if args.markdown else as_json if args.json else words.text
    print(text(made).rstrip("\n"))
    return 1 if args.fail_on and made.failed(args.fail_on) else 0


def _rekey(args: argparse.Namespace) -> int:
    from trainscape.pipeline import rekey
    from trainscape.pipeline.show import maker

    if args.study.startswith("{"):
        raise UserError("rekey: takes a parameter file, since a run of Snakemake trains the sample")
    layout = _layout(args)
    todo = rekey.groups(layout, args.sample)
    refuted = [group for group in todo if group.differing]
    if not refuted and not any(group.others for group in todo):
        why = "the sample is all there is" if todo else "no missing cell is there with older code"
        print(f"nothing to carry over: {why}")
        return 0
    print(*rekey.planned(layout, todo), sep="\n", flush=True)
    if args.dry_run:
        return 1 if refuted else 0
    if files := [pair.path for group in todo for pair in group.to_train]:
        rekey.retrain(args.study, files)
    differing = rekey.rekey([group for group in todo if not group.differing])
    print(f"the rest: {maker(args.study)}")
    return 1 if refuted or differing else 0


def _data(args: argparse.Namespace) -> None:
    from trainscape.pipeline import data

    if args.hash:
        print(data.content_hash(*args.hash))
    elif args.list:
        from trainscape.pipeline.data_list import listed

        print(listed(_study(args).plugins))
    else:
        data.make(_layout(args), args.names, args.source, args.mirror)


def _targets(args: argparse.Namespace) -> None:
    from trainscape.pipeline import versioned

    layout = _layout(args)
    for line in versioned.warnings(Path.cwd(), layout.output, os.environ):
        print(f"trainscape: {line}", file=sys.stderr)
    for file in layout.targets(*args.stages):
        if file not in layout.trainable:  # the training's stamp stands for its cells
            print(file)


def _train(args: argparse.Namespace) -> int:
    from trainscape.engine import leaving
    from trainscape.pipeline import train

    if bool(args.paths) == bool(args.jobs):
        raise UserError("train: name cells, or a list of them by --jobs")
    try:
        with leaving.heeded():
            if args.jobs:
                train.make_listed(_layout(args), args.jobs, again=args.again)
            else:
                train.make(_layout(args), args.paths, again=args.again)
    except leaving.Leaving as asked:
        print(f"trainscape: {asked}: left; run again to go on", file=sys.stderr)
        return asked.status
    return 0


def _propose(args: argparse.Namespace) -> None:
    from trainscape.pipeline import propose

    propose.make(_layout(args), args.file)


def _choose(args: argparse.Namespace) -> None:
    from trainscape.pipeline import confirm

    confirm.make(_layout(args), args.file)


def _make(args: argparse.Namespace) -> None:
    from trainscape.pipeline.make import make

    make(_layout(args), args.stage, args.cores, args.benchmarks, args.awaited)
