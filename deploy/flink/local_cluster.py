"""A Flink cluster of three hosts on one Linux machine, to try a run on it before renting one.

    sudo python deploy/flink/local_cluster.py start
    sudo python deploy/flink/local_cluster.py stop

Each host is a network namespace: one with Flink's JobManager and Beam's job server, two with a
TaskManager and, beside it, the pool of Python workers that it hands bundles to. It needs ip
(iproute2), Java 11 or 17, and Maven for the jars, once. Whatever runs in the namespaces is stopped
with them, and their temporary files are deleted: only logs are left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

BRIDGE = "duet"
OUTSIDE = "10.77.0.1"
"""The address under which the hosts see this machine."""

MANAGER = "duet-manager"
WORKERS = ("duet-worker-1", "duet-worker-2")
ADDRESSES = {MANAGER: "10.77.0.2", WORKERS[0]: "10.77.0.3", WORKERS[1]: "10.77.0.4"}

_REST_PORT, _JOB_PORT = 8081, 8099
FLINK_URL = f"http://{ADDRESSES[MANAGER]}:{_REST_PORT}"
BEAM_ARGUMENTS = (
    f"--job_endpoint={ADDRESSES[MANAGER]}:{_JOB_PORT}",
    "--environment_type=EXTERNAL",
    "--environment_config=localhost:50000",
    f"--parallelism={len(WORKERS)}",
)
"""What a run on this cluster needs after `--runner PortableRunner --`."""

JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
JOB_SERVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"
TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
WORKER_POOL = "apache_beam.runners.worker.worker_pool_main"

_POM = Path(__file__).with_name("pom.xml")
_SECONDS_TO_START = 120

CONF = f"""\
jobmanager.rpc.address: {ADDRESSES[MANAGER]}
jobmanager.bind-host: 0.0.0.0
rest.address: {ADDRESSES[MANAGER]}
rest.bind-address: {ADDRESSES[MANAGER]}
rest.port: {_REST_PORT}
parallelism.default: {len(WORKERS)}
taskmanager.numberOfTaskSlots: 1
taskmanager.cpu.cores: 1
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.task.heap.size: 384m
taskmanager.memory.task.off-heap.size: 64m
taskmanager.memory.network.min: 64m
taskmanager.memory.network.max: 64m
taskmanager.network.sort-shuffle.min-buffers: 64
taskmanager.memory.managed.size: 128m
taskmanager.memory.jvm-metaspace.size: 192m
taskmanager.memory.jvm-overhead.min: 128m
taskmanager.memory.jvm-overhead.max: 128m
restart-strategy: fixed-delay
restart-strategy.fixed-delay.attempts: 10
restart-strategy.fixed-delay.delay: 2s
heartbeat.interval: 1000
heartbeat.timeout: 8000
"""
"""Flink's settings. Each shuffle would reserve 512 buffers, and all of a job that begins again want
theirs at once; what this job shuffles fits in a few.
"""

_OPENED = (
    *("util", "lang", "nio", "net", "time", "io", "text", "lang.reflect"),
    *("util.concurrent", "util.concurrent.atomic", "util.concurrent.locks"),
)
_JAVA = (
    "java",
    "-Xmx512m",
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    *(f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPENED),
)
"""Flink reaches into packages that Java 17 keeps to itself."""


class ClusterError(Exception):
    """The cluster cannot be started; the message says why."""


@contextlib.contextmanager
def running(folder: Path) -> Iterator[None]:
    """A cluster with its logs in `folder`."""
    try:
        start(folder)
        yield
    finally:
        stop(folder)


def start(folder: Path) -> None:
    """Starts all processes and waits until jobs are taken. Raises `ClusterError`."""
    if os.geteuid() != 0:
        raise ClusterError("network namespaces are made by root only: use sudo")
    missing = [name for name in ("ip", "java", "mvn") if shutil.which(name) is None]
    if missing:
        raise ClusterError(f"{', '.join(missing)}: not found; install iproute2, Java 17 and Maven")
    stop(folder)
    _temporary(folder).mkdir(parents=True)
    (folder / "flink-conf.yaml").write_text(CONF)
    resolve_jars()
    _make_network()
    _run_java(folder, MANAGER, JOB_MANAGER, "--configDir", folder)
    _wait_for(ADDRESSES[MANAGER], _REST_PORT, folder)
    _run_java(
        folder,
        MANAGER,
        JOB_SERVER,
        *("--job-host", ADDRESSES[MANAGER], "--job-port", _JOB_PORT),
        *("--artifact-port", 8098, "--expansion-port", 8097),
        *("--flink-master", f"{ADDRESSES[MANAGER]}:{_REST_PORT}"),
        *("--artifacts-dir", folder / "artifacts"),
    )
    for host in WORKERS:
        start_worker_pool(host, folder)
        start_task_manager(host, folder)
    _wait_for(ADDRESSES[MANAGER], _JOB_PORT, folder)


def start_task_manager(host: str, folder: Path) -> None:
    address = ADDRESSES[host]
    bound = (f"-Dtaskmanager.host={address}", f"-Dtaskmanager.bind-host={address}")
    _run_java(folder, host, TASK_MANAGER, "--configDir", folder, *bound)


def start_worker_pool(
    host: str, folder: Path, environment: Mapping[str, str] | None = None
) -> None:
    """The pool starts a `python` for each worker: the one that runs this, with `environment`."""
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    command = [sys.executable, "-m", WORKER_POOL, "--service_port=50000"]
    _start(folder, host, WORKER_POOL, command, {**(environment or {}), "PATH": path})


def kill(host: str, what: str) -> list[int]:
    """Kills (-9) the processes of a host whose command line has `what` in it; their numbers."""
    killed = []
    for pid in _processes(host):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if what in command:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
    return killed


def stop(folder: Path) -> None:
    """Ends every process of the cluster, however it was started, and removes its network.

    Of `folder`, the logs remain.
    """
    for host in ADDRESSES:
        while kill(host, ""):
            time.sleep(0.05)
        if host in _namespaces():
            _ip("netns", "delete", host)
    # The links of a namespace go with it, but not at once.
    for name in (BRIDGE, *(f"{BRIDGE}{number}" for number in range(len(ADDRESSES)))):
        if Path(f"/sys/class/net/{name}").exists():
            with contextlib.suppress(ClusterError):
                _ip("link", "delete", name)
    shutil.rmtree(_temporary(folder), ignore_errors=True)


def resolve_jars() -> Path:
    """The folder with the jars of `pom.xml`; Maven fetches them when they are not there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    jars = cache / "musicnet-duet" / f"flink-{'-'.join(versions().values())}"
    if not jars.exists():
        jars.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=jars.parent) as fetched:
            command = ["mvn", "-q", "-B", "-f", os.fspath(_POM), "dependency:copy-dependencies"]
            run = subprocess.run(
                [*command, f"-DoutputDirectory={fetched}/jars"], capture_output=True, text=True
            )
            if run.returncode:
                raise ClusterError(f"Maven cannot fetch the jars:\n{run.stdout[-2000:]}")
            os.rename(f"{fetched}/jars", jars)
    return jars


def versions() -> dict[str, str]:
    """The properties of `pom.xml`: flink.version, beam.version, slf4j.version."""
    root = xml.etree.ElementTree.parse(_POM).getroot()
    namespace = re.match(r"\{.*\}", root.tag)
    properties = root.find(f"{namespace.group() if namespace else ''}properties")
    return {each.tag.rpartition("}")[2]: each.text or "" for each in properties or ()}


def _make_network() -> None:
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("address", "add", f"{OUTSIDE}/24", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")
    for number, (host, address) in enumerate(ADDRESSES.items()):
        outer, inner = f"{BRIDGE}{number}", "eth0"
        _ip("netns", "add", host)
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", host)
        _ip("link", "set", outer, "master", BRIDGE, "up")
        _ip("-n", host, "address", "add", f"{address}/24", "dev", inner)
        _ip("-n", host, "link", "set", inner, "up")
        _ip("-n", host, "link", "set", "lo", "up")


def _ip(*arguments: str) -> str:
    run = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if run.returncode:
        raise ClusterError(f"ip {' '.join(arguments)}: {run.stderr.strip()}")
    return run.stdout


def _namespaces() -> list[str]:
    return [line.split()[0] for line in _ip("netns", "list").splitlines() if line]


def _processes(host: str) -> list[int]:
    if host not in _namespaces():
        return []
    return [int(pid) for pid in _ip("netns", "pids", host).split()]


def _run_java(folder: Path, host: str, main_class: str, *arguments: object) -> None:
    temporary = (f"-Djava.io.tmpdir={_temporary(folder)}", "-cp", f"{resolve_jars()}/*")
    command = [*_JAVA, *temporary, main_class, *map(str, arguments)]
    _start(folder, host, main_class, command, {"FLINK_CONF_DIR": os.fspath(folder)})


def _start(
    folder: Path, host: str, what: str, command: Sequence[str], environment: Mapping[str, str]
) -> None:
    with open(folder / f"{host}-{what.rpartition('.')[2]}.log", "ab") as log:
        subprocess.Popen(
            ["ip", "netns", "exec", host, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "TMPDIR": os.fspath(_temporary(folder)), **environment},
            start_new_session=True,
        )


def _temporary(folder: Path) -> Path:
    """Where all processes put files that nobody needs once they have ended.

    A TaskManager that was killed leaves up to a gigabyte.
    """
    return folder.absolute() / "temporary"


def _wait_for(address: str, port: int, folder: Path) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
            return
        time.sleep(0.2)
    raise ClusterError(f"nothing answers at {address}:{port}; see the logs in {folder}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=["start", "stop"])
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()) / "duet-flink",
        help="for configuration and logs (%(default)s)",
    )
    options = parser.parse_args()
    try:
        if options.command == "stop":
            stop(options.folder)
            return 0
        start(options.folder)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Flink: {FLINK_URL}; logs: {options.folder}\n")
    print("duet preprocess --input ... --output ... --runner PortableRunner -- \\")
    print("  " + " ".join(BEAM_ARGUMENTS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
