"""Remotes of DVC, real ones on this machine: a folder, an S3-compatible server, an SSH server."""

from __future__ import annotations

import getpass
import hashlib
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from kit.local_server import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kit.project import Project

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
REGION = "us-east-1"
ALL_OF_S3 = (
    '{"Version": "2012-10-17",'
    ' "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
)


class Store(Protocol):
    """The objects of a remote, by their names below its URL."""

    def write(self, name: str, content: bytes) -> None:
        """Put an object there, whatever was there."""

    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""


@dataclass(frozen=True)
class Remote:
    """A remote, and what DVC is to be told of it.

    Args:
        url: as ``dvc remote add`` takes it.
        store: reaches its objects behind DVC's back.
        options: what ``dvc remote modify`` sets.
        wrong: options that the server refuses, in place of these.
        refusal: what DVC then says.
        stop: shuts the server down; a folder has none.
    """

    url: str
    store: Store
    options: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    refusal: str = ""
    stop: Callable[[], object] = lambda: None

    def use(self, project: Project, **options: str) -> None:
        """Make it the project's remote, for this project alone."""
        project.dvc("remote", "add", "--local", "--force", "--default", "store", self.url)
        for option, value in {**self.options, **options}.items():
            project.dvc("remote", "modify", "--local", "store", option, value)

    def clone(self, project: Project, root: Path) -> Project:
        """A fresh ``git clone`` of a project that uses this remote."""
        project.git("clone", "--quiet", ".", str(root))
        clone = type(project)(root, project.shared)
        self.use(clone)
        return clone


def object_of(file: Path) -> str:
    """The name that DVC's remotes have for the content of a file."""
    md5 = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    return f"files/md5/{md5[:2]}/{md5[2:]}"


@dataclass(frozen=True)
class _Folder:
    """Objects in a folder. DVC protects them, and takes one that is protected for right."""

    root: Path

    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(0o444)

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)


@contextmanager
def folder(root: Path) -> Iterator[Remote]:
    """A folder; nobody is refused there."""
    yield Remote(str(root), _Folder(root))


@dataclass(frozen=True)
class _Bucket:
    """Objects of an S3 server."""

    client: Any
    name: str

    def write(self, name: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=f"study/{name}", Body=content)

    def remove(self, name: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=f"study/{name}")


@contextmanager
def s3(root: Path) -> Iterator[Remote]:
    """A bucket of moto's server, which checks keys as S3 does."""
    boto3 = pytest.importorskip("boto3", reason="needs boto3, of the extra test")
    pytest.importorskip("dvc_s3", reason="needs dvc-s3, of the extra remotes")
    moto = pytest.importorskip("moto.server", reason="needs moto, of the extra test")
    from moto import settings

    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url, name = f"http://{host}:{port}", f"bucket-{port}"  # moto's servers share what they hold

    def client(service: str, key: str, secret: str) -> Any:
        keys = {"aws_access_key_id": key, "aws_secret_access_key": secret}
        return boto3.client(service, endpoint_url=url, region_name=REGION, **keys)

    iam = client("iam", "any", "any")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="s3", PolicyDocument=ALL_OF_S3)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    key, secret = made["AccessKeyId"], made["SecretAccessKey"]
    bucket = client("s3", key, secret)
    bucket.create_bucket(Bucket=name)
    before, settings.INITIAL_NO_AUTH_ACTION_COUNT = settings.INITIAL_NO_AUTH_ACTION_COUNT, 0
    options = {"endpointurl": url, "region": REGION, "access_key_id": key}
    try:
        yield Remote(
            f"s3://{name}/study",
            _Bucket(bucket, name),
            {**options, "secret_access_key": secret},
            {"secret_access_key": "wrong"},
            "Forbidden",
            server.stop,
        )
    finally:
        settings.INITIAL_NO_AUTH_ACTION_COUNT = before
        server.stop()


@contextmanager
def ssh(root: Path) -> Iterator[Remote]:
    """A folder of this machine behind an SSH server with keys of its own."""
    pytest.importorskip("dvc_ssh", reason="needs dvc-ssh, of the extra remotes")
    if SSHD is None:
        pytest.skip("needs sshd (Debian's openssh-server)")
    keys = root / "keys"
    keys.mkdir(parents=True, mode=0o700)
    for name in ("host", "user", "stranger"):
        path = str(keys / name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    [port] = free_ports(1)
    settings = (
        *(f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {keys / 'host'}"),
        *(f"AuthorizedKeysFile {keys / 'user.pub'}", "StrictModes no", "PidFile none"),
        *("UsePAM no", "PasswordAuthentication no", "KbdInteractiveAuthentication no"),
        *("PermitRootLogin yes", "Subsystem sftp internal-sftp"),
    )
    (keys / "config").write_text("".join(f"{line}\n" for line in settings))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where sshd of root wants to be shut in
    server = subprocess.Popen([SSHD, "-D", "-q", "-f", str(keys / "config")])
    try:
        _await(port, server)
        store = root / "store"
        yield Remote(
            f"ssh://{getpass.getuser()}@127.0.0.1:{port}{store}",
            _Folder(store),
            {"keyfile": str(keys / "user")},
            {"keyfile": str(keys / "stranger")},
            "Permission denied",
            server.terminate,
        )
    finally:
        server.terminate()
        server.wait()


def _await(port: int, server: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if server.poll() is not None:
            break
        time.sleep(0.05)
    pytest.skip("sshd does not start here")


KINDS = {"folder": folder, "s3": s3, "ssh": ssh}
