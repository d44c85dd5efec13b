"""A real SLURM cluster of one node on this machine, for as long as a test needs it.

slurm.conf has to be at /etc/slurm/slurm.conf (the job-step plugin drops SLURM_CONF), so this needs root, writes it and
puts back what was there. Daemons are ended by their process id.
"""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

CONF = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "munged", "munge", "runuser")


def why_not():
    """Why no cluster can be started here, or nothing."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
    if missing:
        return f"{', '.join(missing)} not installed (apt-get install slurmctld slurmd slurm-client munge)"
    if os.geteuid() != 0:
        return "starting slurmctld and slurmd needs root"
    if subprocess.run(["scontrol", "ping"], capture_output=True, check=False).returncode == 0:
        return f"a SLURM cluster is running here already ({CONF})"
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """One node, one partition `main`; jobs over their memory are killed."""

    def __init__(self, folder, cpus=2, memory=None):
        self.folder = Path(folder)
        self.host = socket.gethostname().split(".")[0]
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        self.conf = self._conf(cpus, memory or int(0.8 * total))
        self.processes = {}
        self.before = None

    def _conf(self, cpus, memory):
        spool = self.folder
        return f"""\
ClusterName=snakedriztest
SlurmctldHost={self.host}(127.0.0.1)
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
StateSaveLocation={spool}/state
SlurmdSpoolDir={spool}/slurmd
SlurmctldPidFile={spool}/slurmctld.pid
SlurmdPidFile={spool}/slurmd.pid
SlurmctldLogFile={spool}/slurmctld.log
SlurmdLogFile={spool}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
SlurmdTimeout=30
MinJobAge=600
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={spool}/jobs.txt
# Without cgroups memory is enforced by polling what the processes of a job use, every second.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
NodeName={self.host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes={self.host} Default=YES MaxTime=INFINITE State=UP
"""

    def __enter__(self):
        for name in ("state", "slurmd"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        CONF.parent.mkdir(exist_ok=True)
        self.guard = CONF.with_name("snakedriz-test.lock").open("w")
        fcntl.flock(self.guard, fcntl.LOCK_EX)
        self.before = CONF.read_bytes() if CONF.exists() else None
        try:
            CONF.write_text(self.conf)
            if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode != 0:
                self._start_munged()
            self._start("slurmctld", "slurmctld", "-D")
            self.start_slurmd()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if "slurmctld" in self.processes:
            subprocess.run(["scancel", "--user=root"], capture_output=True, check=False, timeout=30)
            self._wait(lambda: not self.squeue(), 20, quiet=True)
        for name in ("slurmd", "slurmctld", "munged"):
            self.stop(name)
        if self.before is None:
            CONF.unlink(missing_ok=True)
        else:
            CONF.write_bytes(self.before)
        Path(self.guard.name).unlink()
        self.guard.close()

    def _start_munged(self):
        for folder in ("/run/munge", "/var/log/munge", "/var/lib/munge"):
            Path(folder).mkdir(exist_ok=True)
            shutil.chown(folder, "munge", "munge")
        self._start("munged", "runuser", "-u", "munge", "--", "munged", "--foreground")
        self._wait(lambda: subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode == 0, 20)

    def _start(self, name, *command):
        with (self.folder / f"{name}.out").open("ab") as out:
            self.processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    def start_slurmd(self):
        self._start("slurmd", "slurmd", "-D", "-N", self.host)
        self._wait(lambda: re.fullmatch(r"(idle|mix|alloc|drain|drng).*", self.state()), 60)

    def stop(self, name, with_signal=signal.SIGTERM):
        """End one daemon by its process id, and wait until it is gone."""
        process = self.processes.pop(name, None)
        if process is None:
            return
        process.send_signal(with_signal)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)

    def _wait(self, done, seconds, quiet=False):
        until = time.monotonic() + seconds
        while not done():
            if time.monotonic() > until:
                if quiet:
                    return
                logs = "\n".join(
                    f"{path}:\n{path.read_text()[-2000:]}"
                    for path in (*self.folder.glob("*.log"), *self.folder.glob("*.out"))
                )
                raise RuntimeError(f"the cluster did not get there in {seconds} s; node {self.state()}\n{logs}")
            time.sleep(0.3)

    def state(self):
        """State of the node, as sinfo has it."""
        done = subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def squeue(self):
        """Jobs that wait or run, as (id, state)."""
        done = subprocess.run(["squeue", "-h", "-o", "%i %T"], capture_output=True, text=True, check=False)
        return [tuple(line.split()) for line in done.stdout.splitlines()]

    def drain(self):
        self._update("DRAIN", "Reason=test")

    def resume(self):
        self._update("RESUME")

    def _update(self, state, *more):
        subprocess.run(["scontrol", "update", f"NodeName={self.host}", f"State={state}", *more], check=True)

    def steps(self):
        """Process ids of the job steps' managers on this node (`slurmstepd`), by job."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if match := re.match(rb"slurmstepd: \[(\d+)\.", path.read_bytes()):
                    found.setdefault(int(match[1]), []).append(int(path.parent.name))
        return found

    def finished(self):
        """Finished cluster jobs in their order: name (the run's) and how each ended."""
        path = self.folder / "jobs.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [dict(part.split("=", 1) for part in line.split() if "=" in part) for line in lines]
