"""Versions of the software that a result depends on."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable

from snakedriz import __version__

#: Packages whose version is part of what a result depends on.
PACKAGES = ("drizzlepac", "stwcs", "tweakwcs", "photutils", "astropy", "numpy", "scipy")


def software_versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return the versions that a result depends on, by package name; ``absent`` for one that is not installed."""
    versions = {"snakedriz": __version__}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "absent"
    return versions
