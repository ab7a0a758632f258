"""What no line of the source may do: load pickles, run text as code, give text to a shell."""

from __future__ import annotations

import ast
import io
import pickle
import re
import tarfile
from typing import TYPE_CHECKING

import pytest

from trainscape import source
from trainscape.datasets import Raw, cifar10
from trainscape.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = source.PACKAGE.parents[1]
FILES = [*ROOT.glob("src/**/*.py"), *ROOT.glob("workflow/**/*.py"), *ROOT.glob("docs/*.py")]
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "pty", "code"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
# a call that is safe only with an argument: its name, the argument, the values that make it safe
ARGUED = {
    "np.load": ("allow_pickle", {"False"}),
    "numpy.load": ("allow_pickle", {"False"}),
    "torch.load": ("weights_only", {"True"}),
    "yaml.load": ("Loader", {"_Strict", "yaml.SafeLoader"}),
    "yaml.load_all": ("Loader", {"_Strict", "yaml.SafeLoader"}),
    "YAML": ("typ", {"'safe'"}),
}
UNSAFE = {"yaml.unsafe_load", "yaml.full_load", "yaml.unsafe_load_all", "yaml.full_load_all"}
PLUGINS = "cells/plugins.py"  # alone imports files that a study names
EXEC = {"exec_module", "spec_from_file_location", "run_path", "SourceFileLoader"}


def faults(tree: ast.AST, file: str) -> Iterator[str]:
    """What a file does that none may, by line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                if name.split(".")[0] in MODULES:
                    yield f"{file}, line {node.lineno}: imports {name}"
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = {word.arg: ast.unparse(word.value) for word in node.keywords}
        at = f"{file}, line {node.lineno}: {called}"
        if called in {*BUILTINS, *CALLS, *UNSAFE} or called.split(".")[0] in MODULES:
            yield at
        if called in ARGUED and given.get(ARGUED[called][0]) not in ARGUED[called][1]:
            yield f"{at} without {ARGUED[called][0]}"
        if given.get("shell", "False") != "False":
            yield f"{at} with a shell"
        if given.get("allow_pickle", "False") != "False":
            yield f"{at} with pickles"
        if called.split(".")[-1] in EXEC and not file.endswith(PLUGINS):
            yield at


def test_no_line_loads_a_pickle_or_runs_text() -> None:
    """Neither pickles nor text become code, and no shell reads a name."""
    found = [
        fault
        for path in FILES
        for fault in faults(ast.parse(path.read_bytes()), path.relative_to(ROOT).as_posix())
    ]
    assert len(FILES) > 200
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        *("import pickle", "from joblib import load", "eval(text)", "exec(text)"),
        *("np.load(file)", "np.load(file, allow_pickle=True)", "torch.load(file)"),
        *("yaml.load(text, Loader=yaml.Loader)", "yaml.unsafe_load(text)", "os.system(name)"),
        *("subprocess.run(name, shell=True)", "spec.loader.exec_module(made)"),
    ],
)
def test_such_a_line_is_seen(line: str) -> None:
    """The look sees each kind."""
    assert list(faults(ast.parse(line), "x.py"))


def fields(rules: str) -> Iterator[str]:
    """What Snakemake puts into the commands of rules' shells, as it is written there."""
    for shell in re.split(r"\bshell:", rules)[1:]:
        (command, *_) = re.split(r"\n *(?:rule|checkpoint)\b", shell)
        for form, text in re.findall(r"""(f?)["']([^"']*)["']""", command):
            yield from () if form else re.findall(r"\{([^{}]+)\}", text)


def test_what_a_shell_reads_is_quoted() -> None:
    """Rules put what may be anyone's into a command by ``shell_command`` or by ``:q`` alone."""
    ours = {"output", "output.stamp", "log", "threads", "params.again", "params.dataset"}
    texts = [path.read_text(encoding="utf-8") for path in ROOT.glob("workflow/rules/*.smk")]
    found = [field for text in texts for field in fields(text)]
    assert len(found) > 16
    assert [field for field in found if field not in ours and not field.endswith(":q")] == []
    rule = 'shell:\n  f"{a}" + " --for {b} {c:q} > {log}" \' {d}\'\nrule two:\n  "{e}"'
    assert list(fields(rule)) == ["b", "c:q", "log", "d"]


def test_an_archive_of_pickles_is_not_opened_unchecked(tmp_path: Path) -> None:
    """CIFAR-10's own files are pickles: an archive that is not the published one stays shut."""
    ran = tmp_path / "ran"
    pickled = f"cos\nmkdir\n(V{ran}\ntR.".encode()
    assert pickle.loads(pickled) is None and ran.is_dir()  # what loading it does
    ran.rmdir()
    with tarfile.open(tmp_path / cifar10.ARCHIVE, "w:gz") as archive:
        for name in ("data_batch_1", "test_batch", "batches.meta"):
            about = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            about.size = len(pickled)
            archive.addfile(about, io.BytesIO(pickled))
    with pytest.raises(UserError, match="cannot download"):
        cifar10.make(Raw(tmp_path, tmp_path, "http://127.0.0.1:9"))
    assert not ran.exists()
