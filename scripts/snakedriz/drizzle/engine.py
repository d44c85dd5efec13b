"""One AstroDrizzle run per candidate: CR flags, single drizzles and the product.

AstroDrizzle insists on files in its working directory and changes them. So it runs in a child process
(`astrodrizzle_worker`) inside a private scratch directory, on copies that carry the candidate's WCS; what is
kept is collected from there and renamed into place. One run both flags and verifies: the single drizzles come from
before the flagging, and the flagged pixels are mapped onto them afterwards, which costs a second instead of a second
drizzle of every exposure.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from astropy.io import fits

from snakedriz.artefacts.inventory import Inventory, Kind
from snakedriz.drizzle import singles as singles_
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import skeleton as skeletons_
from snakedriz.files import whole
from snakedriz.fits_headers.rootnames import ExposureKey

#: DQ bit of cosmic rays found by AstroDrizzle.
CR_BIT = 4096
#: What steps are off when the CR flags of an earlier candidate are reused.
REUSE = {"static": False, "median": False, "blot": False, "driz_cr": False, "driz_separate": True}


@dataclass(frozen=True)
class Exposure:
    """One exposure to drizzle.

    Attributes
    ----------
    rootname, kind : str
        For example ``j8bt06nyq`` and ``flc``.
    source : Path
        The input file, never changed.
    skeleton : `~astropy.io.fits.HDUList`
        Headers and WCS tables of the candidate.
    exptime : float
        Exposure time, s.
    """

    rootname: str
    kind: str
    source: Path
    skeleton: fits.HDUList
    exptime: float

    @property
    def name(self) -> str:
        """File name of the exposure."""
        return f"{self.rootname}_{self.kind}.fits"


def read_crmask(path: str | Path) -> dict[str, dict[int, np.ndarray]]:
    """Read a bundle of CR masks.

    Returns
    -------
    dict
        From rootname (lower case) to EXTVER to a boolean array (ny, nx), True where flagged.
    """
    masks: dict[str, dict[int, np.ndarray]] = {}
    with fits.open(path, memmap=False) as bundle:
        for hdu in bundle[1:]:
            masks.setdefault(hdu.header["EXTNAME"].lower(), {})[int(hdu.header["EXTVER"])] = hdu.data.astype(bool)
    return masks


def with_cr_flags(flags: Mapping[int, np.ndarray] | None) -> Callable[[int, np.ndarray], np.ndarray]:
    """Return what `skeleton.join` calls to clear the CR bit in a DQ array and set it where `flags` says.

    Parameters
    ----------
    flags : mapping or None
        From EXTVER to a boolean array (ny, nx); None only clears.
    """

    def apply(version: int, dq: np.ndarray) -> np.ndarray:
        out = dq & ~np.array(CR_BIT, dtype=dq.dtype)
        if flags is not None:
            out[flags[version]] |= CR_BIT
        return out

    return apply


def _processes(cores: int, log: IO[str] | None) -> int:
    """Return how many processes AstroDrizzle can use: one where the socket they talk through cannot have its path.

    `multiprocessing` puts it two levels below the temporary directory; paths of sockets have 107 bytes on Linux.
    """
    length = len(os.fsencode(tempfile.gettempdir())) + len("/pymp-12345678/listener-12345678")
    if cores > 1 and length > 107:
        print(f"one process: {tempfile.gettempdir()} is too long a path for the socket of several", file=log)
        return 1
    return cores


def _run_astrodrizzle(job: Mapping[str, Any], scratch: Path, log: IO[str] | None) -> None:
    (scratch / "job.json").write_text(json.dumps(job))
    package = str(Path(__file__).resolve().parents[2])
    search = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MPLBACKEND="agg", PYTHONPATH=search)
    done = subprocess.run(
        [sys.executable, "-m", "snakedriz.drizzle.astrodrizzle_worker", "job.json"],
        cwd=scratch, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        where = f"; AstroDrizzle's own words are in {log.name}" if log is not None else ""
        meaning = " (killed: out of memory?)" if done.returncode in (-9, 137) else ""
        raise SnakedrizError(f"AstroDrizzle failed on {job['output']} with exit code {done.returncode}{meaning}{where}")


def _crmasks(exposures: Sequence[Exposure], scratch: Path) -> dict[str, dict[int, np.ndarray]]:
    masks: dict[str, dict[int, np.ndarray]] = {}
    for exposure in exposures:
        with fits.open(scratch / exposure.name, memmap=True) as hdul:
            masks[exposure.rootname] = {
                version: (hdul["DQ", version].data & CR_BIT) > 0
                for version in skeletons_.science_extensions(hdul)
                if ("DQ", version) in hdul and hdul["DQ", version].data is not None
            }
    return masks


def write_crmask(path: str | Path, masks: Mapping[str, Mapping[int, np.ndarray]]) -> None:
    """Write CR masks as a bundle of compressed images (EXTNAME = rootname, EXTVER = that of the SCI extension)."""
    bundle = fits.HDUList([fits.PrimaryHDU()])
    for root in masks:
        for version, mask in sorted(masks[root].items()):
            hdu = fits.CompImageHDU(mask.astype(np.uint8), name=root.upper(), compression_type="PLIO_1")
            hdu.header["EXTVER"] = version
            bundle.append(hdu)
    with whole(path) as temporary:
        bundle.writeto(temporary)


def drizzle(
    exposures: Sequence[Exposure],
    parameters: Mapping[str, Any],
    mode: Literal["flag", "reuse"],
    product: str | Path,
    crmask: str | Path,
    singles: str | Path | None = None,
    reuse: str | Path | None = None,
    cores: int = 1,
    temporary_directory: str | Path | None = None,
    log: IO[str] | None = None,
    finish: Callable[[fits.HDUList], None] | None = None,
) -> None:
    """Drizzle the exposures of one candidate.

    Parameters
    ----------
    exposures : sequence of Exposure
        In the order of the inventory.
    parameters : mapping
        AstroDrizzle parameters, from MDRIZTAB and the configuration.
    mode : {"flag", "reuse"}
        "flag" clears bit 4096 and flags cosmic rays afresh with this candidate's WCS (``resetbits=4096``); "reuse"
        takes the flags of `reuse` and skips static mask, median, blot and CR steps (``resetbits=0``).
    product, crmask, singles : path
        What to write: the product (SCI, WHT, CTX), the CR masks, and, unless None, the singles bundle.
    reuse : path, optional
        CR masks of another candidate, for mode "reuse".
    cores : int
        Processes AstroDrizzle may use.
    temporary_directory : path, optional
        Where to make the scratch directory.
    log : open text file, optional
        Where AstroDrizzle's output goes.
    finish : callable, optional
        Called with the product, open for update, before it gets its name.

    Raises
    ------
    SnakedrizError
        If AstroDrizzle fails or does not write what it should.
    """
    flags = read_crmask(reuse) if mode == "reuse" and reuse is not None else {}
    product = Path(product)
    with tempfile.TemporaryDirectory(prefix="snakedriz-", dir=temporary_directory) as name:
        scratch = Path(name)
        keep_error = str(parameters.get("final_wht_type", "EXP")).upper() in ("ERR", "IVM")
        for exposure in exposures:
            skeletons_.join(
                exposure.skeleton,
                exposure.source,
                scratch / exposure.name,
                drop=() if keep_error else ("ERR",),
                dq=with_cr_flags(flags.get(exposure.rootname)),
            )
        # In memory AstroDrizzle keeps its single drizzles to itself, so only where they are not wanted: the same
        # bits, 1.4 GB less written per full-frame run of four exposures, 1.1 GB more memory (measured).
        options: dict[str, Any] = {
            **parameters, "driz_separate": True, "build": True, "context": True, "mdriztab": False,
            "updatewcs": False, "resetbits": 0, "crbit": CR_BIT, "preserve": False, "clean": False,
            "driz_sep_fillval": 0.0, "in_memory": singles is None, "num_cores": _processes(cores, log),
            "runfile": "",
        }  # fmt: skip
        if mode == "reuse":
            options |= REUSE
        elif len(exposures) == 1:
            options |= {"median": False, "blot": False, "driz_cr": False}
        for keyword in ("skyclip", "combine_nlow", "combine_nhigh", "combine_grow", "driz_cr_grow", "driz_cr_ctegrow"):
            if options.get(keyword) is not None:  # MDRIZTABs differ in their column types, skypac wants an int
                options[keyword] = int(options[keyword])
        output = product.name.rpartition("_")[0]
        job = {"input": [exposure.name for exposure in exposures], "output": output, "options": options}
        _run_astrodrizzle(job, scratch, log)
        made = sorted(path.name for path in scratch.glob(f"{output}_dr[cz].fits"))
        if len(made) != 1:
            raise SnakedrizError(f"AstroDrizzle ended without error, but made {made} where {product.name} was expected")
        masks = _crmasks(exposures, scratch)
        write_crmask(crmask, masks)
        if singles is not None:
            singles_.write(singles, exposures, scratch, masks)
        _finish_header(scratch / made[0], product.name, exposures, finish)
        with whole(product) as temporary:
            shutil.move(scratch / made[0], temporary)


def _finish_header(
    path: Path, name: str, exposures: Sequence[Exposure], finish: Callable[[fits.HDUList], None] | None
) -> None:
    """Replace what depends on the clock, the scratch directory or the installation in a product's headers.

    Then add what is asked for.
    """
    stamp = str(exposures[0].skeleton[0].header.get("DATE-OBS", "")).strip()
    with fits.open(path, mode="update", memmap=True) as hdul:
        hdul[0].header["FILENAME"] = name
        if "RULEFILE" in hdul[0].header:  # fitsblender's, with the path of the package
            hdul[0].header["RULEFILE"] = Path(hdul[0].header["RULEFILE"]).name
        for hdu in hdul:
            for keyword in ("DATE", "IRAF-TLM"):
                if keyword in hdu.header:
                    hdu.header[keyword] = stamp
        if finish is not None:
            finish(hdul)


def read_exposures(inventory_file: str | Path, bundle: str | Path, product: str) -> tuple[list[Exposure], Inventory]:
    """Return the exposures to drizzle for a product, with the WCS of a candidate.

    Parameters
    ----------
    inventory_file, bundle : path
        inventory.json, and the candidate's bundle of skeletons.
    product : {"drc", "drz"}
        "drc" is made of FLC files, "drz" of FLT files.

    Returns
    -------
    (list of Exposure, Inventory)
        The exposures in use, in the order of the inventory, and the inventory.
    """
    inventory = Inventory.read(inventory_file)
    kind: Kind = "flc" if product == "drc" else "flt"
    skeletons = skeletons_.read_bundle(bundle, [ExposureKey(e.rootname, kind) for e in inventory.used])
    return [
        Exposure(e.rootname, kind, Path(e.file(kind)), skeletons[ExposureKey(e.rootname, kind)], float(e.exptime or 0))
        for e in inventory.used
    ], inventory
