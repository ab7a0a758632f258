"""A Slurm cluster of two nodes on this machine, for tests: no systemd, no root, no accounting.

It lives in a folder of its own, with ports of its own: munged, slurmctld, a slurmd for each node.
Debian has them: ``apt-get install --no-install-recommends slurm-wlm munge``. Nodes differ in their
names and ports, which Debian's build allows. Each is given four cores, and the first two GPUs:
``/dev/null`` and ``/dev/zero``. All daemons run as the user who runs the tests, and the kernel ends
them with the process of the tests, however late or suddenly that ends.

Commands, which may hang, are run by ``timeout -k``.
"""

from __future__ import annotations

import getpass
import os
import re
import secrets
import shutil
import signal
import subprocess
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from kit.local_server import free_ports
from kit.toy import until

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = (
    *("munged", "slurmctld", "slurmd", "setpriv"),
    *("srun", "sbatch", "squeue", "scancel", "scontrol"),
)
NODES = ("node1", "node2")
CALL = 30  # seconds that a command may take
TAIL = 10  # lines of the log of a daemon that has died

CONFIGURATION = """\
ClusterName=tests
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MailProg=/bin/true
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# jobs start at once
SchedulerParameters=bf_interval=1,batch_sched_delay=0,sched_min_interval=0
# nodes have what is said here, not what the machine has
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=10
# seconds: from SIGTERM to SIGKILL; that jobs are listed for after their end (squeue)
KillWait={kill_wait}
MinJobAge=60
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=DEFAULT CPUs=4 RealMemory=8000
NodeName=node1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[1]} Gres=gpu:2
NodeName=node2 NodeHostname=localhost2 NodeAddr=127.0.0.1 Port={ports[2]}
PartitionName=main Nodes=ALL Default=YES MaxTime=8:00:00 PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=8:00:00 PriorityTier=2
"""


class Listed(NamedTuple):
    """A job or a step that squeue lists.

    Attributes:
        number: of the job, such as ``7``, or of the step, such as ``7.0``.
        name: of it.
        state: such as ``RUNNING``; empty for a step.
    """

    number: str
    name: str
    state: str


def missing() -> str | None:
    """Why no cluster can be had here; None if one can."""
    lacking = [program for program in PROGRAMS if not _path(program)]
    if not lacking:
        return None
    return f"no {', '.join(lacking)}: apt-get install --no-install-recommends slurm-wlm munge"


class Slurm:
    """A cluster, from :meth:`start` until :meth:`end`.

    Args:
        folder: where everything of it lies; its path must be short enough for a socket.
        kill_wait: seconds that Slurm waits from a job's SIGTERM to its SIGKILL.
    """

    def __init__(self, folder: Path, kill_wait: int = 30) -> None:
        self.folder = folder
        self._kill_wait = kill_wait
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What Slurm's commands need to find this cluster.

        Snakemake's executor for Slurm takes Slurm's variables from its jobs: there, srun knows it.
        """
        path = f"{self.folder}/bin{os.pathsep}{os.environ['PATH']}"
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": path}

    def start(self) -> None:
        """Start all daemons, and wait until every node is idle.

        Raises:
            AssertionError: it does not come up; what was started is ended.
        """
        try:
            self._start()
        except BaseException:
            self._end_daemons()
            raise

    def _start(self) -> None:
        (self.folder / "state").mkdir(parents=True)
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                folder=self.folder,
                user=getpass.getuser(),
                ports=free_ports(1 + len(NODES)),
                kill_wait=self._kill_wait,
            )
        )
        srun = self.folder / "bin/srun"
        srun.parent.mkdir()
        conf = f"SLURM_CONF={self.folder}/slurm.conf"
        srun.write_text(f'#!/bin/sh\n{conf} exec {_path("srun")} "$@"\n')
        srun.chmod(0o755)
        devices = "NodeName=node1 Name=gpu File=/dev/null,/dev/zero\n"
        (self.folder / "gres.conf").write_text(devices)
        own = ("socket", "pid-file", "log-file", "seed-file")
        munge = [f"--{name}={self.folder}/munge.{name}" for name in own]
        self._run("munged", "--foreground", "--force", *munge, f"--key-file={key}")
        until((self.folder / "munge.socket").exists)
        self._run("slurmctld", "-D")
        # a node that finds no controller tries again after a minute
        until(lambda: "is UP" in self._called("scontrol", "ping").stdout, CALL)
        for node in NODES:
            self.start_node(node)
        for node in NODES:
            self.wait_for(node, "IDLE")

    def end(self) -> None:
        """Cancel all jobs, wait until none is left, and end all daemons.

        No job can be cancelled if a daemon has died meanwhile: a warning says so.
        """
        try:
            if died := self._died():
                warnings.warn(died, stacklevel=2)
            else:
                self.thaw()
                self.cancel_all()
        finally:
            self._end_daemons()

    def freeze(self) -> None:
        """Let the controller hang, as one that is overloaded or restarted does."""
        self._signal("slurmctld", signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal("slurmctld", signal.SIGCONT)

    def restore(self) -> None:
        """Bring all back to how it was at the start: no jobs, nodes idle."""
        self.thaw()
        self.cancel_all()
        for node in NODES:
            if node not in self._daemons:
                self.start_node(node)
            if "DRAIN" in self.node(node):  # one that is down comes back by itself
                self.call("scontrol", "update", f"nodename={node}", "state=resume")
            self.wait_for(node, "IDLE")

    def cancel_all(self) -> None:
        """Cancel all jobs at once, and wait until none is left."""
        self.call("scancel", "--signal=KILL", "--user", getpass.getuser())
        self.call("scancel", "--user", getpass.getuser())
        until(lambda: not self.jobs(), CALL)

    def call(self, *words: str) -> str:
        """Run one of Slurm's commands to its good end; what it prints."""
        done = self._called(*words)
        said = f"{done.stdout}\n{done.stderr}\n{self._died()}"
        assert done.returncode == 0, f"{words}: {done.returncode}\n{said}"
        return done.stdout

    def _called(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["timeout", "-k", "2", str(CALL), *words],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def jobs(self) -> list[Listed]:
        """The jobs that have not ended: those that wait, run, or are being ended."""
        return self._listed("squeue", "--noheader", "--format=%A|%j|%T")

    def steps(self) -> list[Listed]:
        """The steps that have not ended."""
        found = self._listed("squeue", "--noheader", "--steps", "--format=%i|%j|")
        return [step for step in found if not step.number.endswith((".extern", ".batch"))]

    def node(self, name: str) -> str:
        """The state of a node, such as ``IDLE`` or ``DOWN*``."""
        said = self.call("scontrol", "show", "node", name)
        found = re.search(r"State=(\S+)", said)
        assert found, said
        return found[1]

    def node_of(self, job: str) -> str:
        """The node on which a job runs."""
        return self.call("squeue", "--noheader", f"--jobs={job}", "--format=%N").strip()

    def start_node(self, name: str) -> None:
        """Start a node's daemon."""
        self._run("slurmd", "-D", "-N", name, of=name)

    def kill_node(self, name: str) -> None:
        """Let a node fail: its daemon and all that runs on it are gone at once."""
        self._end(name, signal.SIGKILL)

    def wait_for(self, node: str, state: str) -> None:
        """Wait until a node's state begins like this."""
        until(lambda: self.node(node).startswith(state), CALL)

    def _died(self) -> str:
        """The daemons that ended by themselves, and how their logs end; empty while all run."""
        died = []
        for name, daemon in self._daemons.items():
            if (status := daemon.poll()) is not None:
                log = (self.folder / f"{name}.out").read_text(errors="replace")
                died += [f"{name} has died ({status}):", *log.splitlines()[-TAIL:]]
        return "\n".join(died)

    def _listed(self, *words: str) -> list[Listed]:
        return [Listed(*line.strip().split("|")) for line in self.call(*words).splitlines()]

    def _run(self, program: str, *words: str, of: str = "") -> None:
        """Start a daemon in the foreground, in a process group of its own."""
        name = of or program
        with (self.folder / f"{name}.out").open("ab") as output:
            self._daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", _path(program) or program, *words],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _end_daemons(self) -> None:
        for name in list(self._daemons):
            self._end(name)

    def _signal(self, name: str, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._daemons[name].pid, number)

    def _end(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a daemon's group a signal, and wait until it has ended."""
        self._signal(name, number)
        try:
            self._daemons[name].wait(10)
        except subprocess.TimeoutExpired:
            self._signal(name, signal.SIGKILL)
            self._daemons[name].wait()
        del self._daemons[name]


def _path(program: str) -> str | None:
    """Where a program is; daemons lie in folders that a user's PATH may lack."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin:/sbin")
