"""Builds the image as shared recipes do where there is no registry: debootstrap for the base, buildah, podman, runc."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASE = "localhost/debian:bookworm"
TOOLS = ("buildah", "podman", "debootstrap", "runc")
#: Where a build finds the authorities that pip trusts outside, where it trusts others than its own.
AUTHORITIES = "/run/build-ca.crt"

_CONTAINERS = """
[containers]
netns = "host"
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def missing():
    """Why nothing can be built here; empty where it can."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        return f"no {', '.join(absent)} here: apt-get install --no-install-recommends {' '.join(TOOLS)}"
    if os.geteuid() != 0:
        return "debootstrap makes the base image as root only"
    return ""


def _debian_mirror():
    """The mirror that apt uses here; debootstrap's own default where there is none."""
    line = re.compile(r"^(?:URIs:|deb(?: \[.*?\])?)\s+(\S+/debian/?)(?:\s|$)", re.MULTILINE)
    for path in [*sorted(Path("/etc/apt/sources.list.d").glob("*")), Path("/etc/apt/sources.list")]:
        if path.is_file() and (found := line.search(path.read_text())):
            return [found[1]]
    return []


def _pip_settings():
    """The index, proxy and authorities of pip outside: the `pip.conf` of the build, and what to mount for it."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    found = dict(re.findall(r"^(?:global|install|:env:)\.([a-z-]+)='(.*)'$", listed, re.MULTILINE))
    keys = ("index-url", "extra-index-url", "proxy", "trusted-host")
    lines = ["[global]", *(f"{key} = {found[key]}" for key in keys if "file:" not in found.get(key, "file:"))]
    mounts = []
    if "cert" in found:
        lines.append(f"cert = {AUTHORITIES}")
        mounts = ["-v", f"{found['cert']}:{AUTHORITIES}:ro"]
    return "\n".join(lines) + "\n", mounts


class Builder:
    """Images in a store of its own, in a scratch folder that `close` removes."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="snakedriz-image-"))
        (self.folder / "containers.conf").write_text(_CONTAINERS)
        (self.folder / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{self.folder}/storage"\nrunroot = "{self.folder}/run"\n'
        )
        settings, self._mounts = _pip_settings()
        (self.folder / "pip.conf").write_text(settings)
        (self.folder / "tmp").mkdir()
        #: What makes podman use this store, in a test or in what it starts.
        self.environment = {
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
        }
        #: Seconds that each image took to build, by tag.
        self.seconds = {}

    def run(self, *command, check=True, **options):
        """Run a command on this store; its output is in the message when it fails."""
        environment = {**os.environ, **self.environment, "TMPDIR": str(self.folder / "tmp")}
        done = subprocess.run(
            [str(word) for word in command], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, **options,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command[:3]}: exit code {done.returncode}\n{done.stdout[-6000:]}"
        return done

    def make_base(self):
        """A bare Debian, as public Debian images are made."""
        root, archive = self.folder / "base", self.folder / "base.tar"
        self.run("debootstrap", "--variant=minbase", "bookworm", root, *_debian_mirror())
        self.run("tar", "-C", root, "--sort=name", "-c", ".", "-f", archive)
        shutil.rmtree(root)
        self.run("podman", "import", "--change", 'CMD ["/bin/bash"]', archive, BASE)
        archive.unlink()

    def build(self, tag):
        """Build from scratch, without any layer of an earlier build; returns the image's id."""
        start = time.monotonic()
        self.run(
            "buildah", "bud", "--no-cache", "--isolation", "chroot", "--pull-never", "--timestamp", "0",
            *self._mounts, "-v", f"{self.folder}/pip.conf:/etc/pip.conf:ro", "--build-arg", f"BASE={BASE}",
            "-t", f"localhost/snakedriz:{tag}", "-f", ROOT / "Containerfile", ROOT,
        )  # fmt: skip
        self.seconds[tag] = time.monotonic() - start
        return self.inspect(tag, "{{.Id}}")

    def inspect(self, tag, template):
        return self.run("podman", "image", "inspect", "--format", template, f"localhost/snakedriz:{tag}").stdout.strip()

    def run_image(self, folder, *arguments, options=(), check=True):
        """Run the image on a folder, with no network and a read-only root."""
        return self.run(
            "podman", "run", "--rm", "--network", "none", "--read-only", *options, "-v", f"{folder}:/data",
            "localhost/snakedriz:a", *arguments, check=check,
        )  # fmt: skip

    def close(self):
        for command in (("podman", "rm", "-af"), ("podman", "rmi", "-af"), ("umount", self.folder / "storage/overlay")):
            self.run(*command, check=False)
        shutil.rmtree(self.folder)
