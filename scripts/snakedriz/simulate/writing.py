"""Simulates a dithered ACS/WFC visit with known truth and writes everything a run of the workflow needs."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table, vstack
from stwcs.wcsutil import HSTWCS

from snakedriz.simulate.detector import DQ_SATURATED, ChipFrame, Defects, chip_defects, expose
from snakedriz.simulate.distortion import NOMINAL_SCALE, FilterModel, filter_model
from snakedriz.simulate.exposure import CHIPS, Facts, chip_header, primary_header, write_association, write_raw
from snakedriz.simulate.offsets import offsets_table
from snakedriz.simulate.pixels import add_galaxy, add_spikes, add_stars, charge_trails, jacobians, pixel_area
from snakedriz.simulate.pointing import Pointing, aim, displace
from snakedriz.simulate.references import ReferenceFiles, write_references
from snakedriz.simulate.scene import make_scene, reference_catalogue, sky_offset
from snakedriz.simulate.seeds import generator
from snakedriz.simulate.truth import REFERENCE_STEM, Truth, build_truth, plain
from snakedriz.simulate.visit import Visit

OVERHEAD = 180.0  # s between the end of an exposure and the start of the next
MARGIN = 40.0  # pixels beyond the edge of a chip within which sources are rendered: their wings reach the chip


def simulate_associations(visits: Sequence[Visit], directory: Path) -> list[Truth]:
    """Simulate several associations of one visit: the first below ``directory``, the others below ``data/<asn>`` there.

    All see the sources of the first one and share its folder of reference files; each has gaia.ecsv and truth files of
    its own, and the first one's offsets.ecsv has the rows of all. Raises ValueError if two exposures have one rootname.
    """
    roots = [root for visit in visits for root in visit.rootnames]
    if len(set(roots)) < len(roots):
        raise ValueError(f"exposures have the same rootnames ({', '.join(roots)}): set first_exposure")
    first = simulate_visit(visits[0], directory)
    truths = [first]
    for visit in visits[1:]:
        folder = first.data / visit.asn
        folder.mkdir()
        (folder / "ref").symlink_to(first.ref.resolve())
        truths.append(simulate_visit(visit, folder, first.scene))
    offsets = vstack([truth.offset_table for truth in truths])
    offsets.write(first.offsets, format="ascii.ecsv", overwrite=True)
    return truths


def simulate_visit(visit: Visit, directory: Path, field: Table | None = None) -> Truth:
    """Simulate ``visit`` and write all files below ``directory`` (created if absent; existing files are replaced).

    Written: data/<asn>_asn.fits, data/<root>_{raw,flt,flc}.fits, ref/*_{idc,d2i,npl,mdz}.fits, gaia.ecsv, offsets.ecsv,
    truth.ecsv, truth.json. The same visit gives the same bytes. Reading the exposures with stwcs needs the environment
    variable ``jref`` to be the ref directory with a final slash. ``field``, the scene of another association, gives the
    sources instead of the visit's own; the stars' magnitudes are changed by ``visit.colour``. Raises
    ValueError for visits that make no sense (when the Visit is built) and OSError when a file cannot be written.
    """
    directory = Path(directory)
    data, ref = directory / "data", directory / "ref"
    for path in (data, ref):
        path.mkdir(parents=True, exist_ok=True)
    model = filter_model(visit.filter)
    references = write_references(ref, REFERENCE_STEM, model, visit.chip_shape)

    true, reported = _pointings(visit, model, references)
    scene = _scene(visit, true) if field is None else _in_filter(field, visit, model)
    wanted = 60 if visit.n_reference is None else visit.n_reference
    gaia = reference_catalogue(
        scene, wanted, visit.reference_range, visit.reference_error, visit.pm_error, visit.epoch, visit.seed
    )
    gaia.write(directory / "gaia.ecsv", format="ascii.ecsv", overwrite=True)
    offsets = offsets_table(visit.rootnames, (visit.ra, visit.dec), visit.pointing_error, visit.gsc_residual)
    offsets.write(directory / "offsets.ecsv", format="ascii.ecsv", overwrite=True)
    scene.write(directory / "truth.ecsv", format="ascii.ecsv", overwrite=True)

    defects = {
        chip: chip_defects(
            visit.chip_shape, chip, visit.hot_pixels, visit.warm_pixels, visit.bad_columns, visit.seed, visit.hot_tail,
            visit.hot_residual, visit.hot_unflagged,
        )
        for chip in CHIPS
    }  # fmt: skip
    write_association(data / f"{visit.asn}_asn.fits", visit.asn, visit.rootnames)
    records = [
        _write_exposure(visit, index, true[index], reported[index], references, scene, defects, data)
        for index in range(visit.n_exposures)
    ]
    details = {
        "visit": plain(visit),
        "epoch": visit.epoch,
        "saturation_mag": visit.saturation_mag,
        "reference_mag_range": list(visit.reference_range),
        "n_stars": int(np.sum(scene["kind"] == "star")),
        "n_reference": len(gaia),
        "exposures": records,
    }
    text = json.dumps(details, indent=1, sort_keys=True) + "\n"
    (directory / "truth.json").write_text(text, encoding="utf-8")
    return build_truth(visit, directory, scene, gaia, offsets, details, tuple(p.wcs for p in true))


def _scene(visit: Visit, pointings: list[Pointing]) -> Table:
    """Exactly the stars and galaxies asked for, all of them within two arcsec of a chip in some exposure.

    Candidates fill a square that holds the frame at any roll; the first ones that an exposure covers are taken.
    """
    rows, columns = visit.chip_shape
    reach = max(max(abs(x), abs(y)) for x, y in visit.dithers)
    half_size = 0.5 * NOMINAL_SCALE * math.hypot(2 * rows + 60, columns) * 1.05 + reach + 2.0
    frame_area = 2 * rows * columns * NOMINAL_SCALE**2
    drawn = 1.5 * (2 * half_size) ** 2 / frame_area  # half as many again as are expected to be needed
    candidates = make_scene(visit, half_size, round(visit.n_stars * drawn) + 50, round(visit.n_galaxies * drawn) + 50)
    candidates = candidates[_covered(candidates, pointings)]
    stars = np.flatnonzero(candidates["kind"] == "star")[: visit.n_stars]
    galaxies = np.flatnonzero(candidates["kind"] == "galaxy")[: visit.n_galaxies]
    scene = candidates[np.concatenate([stars, galaxies])]
    scene["id"] = np.arange(1, len(scene) + 1)
    return scene


def _in_filter(field: Table, visit: Visit, model: FilterModel) -> Table:
    """The sources of a field as another filter sees them: the stars with colours, drawn by id."""
    scene = field.copy()
    deviate = generator(visit.seed, "colours").normal(size=len(scene))
    star = np.asarray(scene["kind"] == "star")
    scene["mag"] = np.asarray(scene["mag"]) + np.where(star, visit.colour[0] + visit.colour[1] * deviate, 0.0)
    scene["mag"].unit = field["mag"].unit
    scene["flux"] = 10.0 ** (-0.4 * (np.asarray(scene["mag"]) - model.zeropoint))
    return scene


def _pointings(visit: Visit, model: FilterModel, references: ReferenceFiles) -> tuple[list[Pointing], list[Pointing]]:
    """True and reported pointing of each exposure."""
    true, reported = [], []
    start = visit.expstart
    origin: Pointing | None = None
    for index, (exptime, (dx, dy)) in enumerate(zip(visit.exptimes, visit.dithers, strict=True)):
        facts = Facts(
            rootname=visit.rootnames[index],
            asn=visit.asn,
            model=model,
            shape=visit.chip_shape,
            exptime=exptime,
            expstart=start,
            target=sky_offset(visit.ra, visit.dec, *visit.pointing_error),
            aperture=(visit.ra, visit.dec),
            pa_v3=visit.pa_v3,
            pa_aper=0.0,
            postarg=(dx, dy),
            vafactor=visit.vafactor + 1e-6 * index,
            read_noise=visit.read_noise,
            step=index + 1,
            n_steps=visit.n_exposures,
        )
        start += (exptime + OVERHEAD) / 86400.0
        origin = origin or aim(facts, references, (visit.ra, visit.dec))
        place = displace(origin, dx, dy)
        extra = visit.exposure_errors.get(index, (0.0, 0.0))
        wrong = sky_offset(*place, visit.pointing_error[0] + extra[0], visit.pointing_error[1] + extra[1])
        roll = visit.exposure_rolls.get(index, 0.0)
        true.append(aim(facts, references, place, origin))
        reported.append(aim(dataclasses.replace(facts, pa_v3=visit.pa_v3 + roll), references, wrong, true[-1]))
    return true, reported


def _on_chip(ra: Any, dec: Any, wcs: HSTWCS, shape: tuple[int, int], margin: float) -> tuple[Any, Any, Any]:
    """Pixel positions of all sources, and which of them fall on the chip widened by ``margin`` pixels.

    The linear solution preselects: far outside the chip the polynomial is meaningless and its inverse diverges.
    """
    ra, dec = np.asarray(ra, dtype=float), np.asarray(dec, dtype=float)
    x, y = wcs.wcs_world2pix(ra, dec, 1)
    wide = margin + 0.05 * max(shape)
    near = (x > -wide) & (x < shape[1] + wide) & (y > -wide) & (y < shape[0] + wide)
    if near.any():
        x[near], y[near] = wcs.all_world2pix(ra[near], dec[near], 1, tolerance=1e-6, maxiter=50)
    inside = (
        near & (x > 0.5 - margin) & (x < shape[1] + 0.5 + margin) & (y > 0.5 - margin) & (y < shape[0] + 0.5 + margin)
    )
    return x, y, inside


def _covered(scene: Table, pointings: list[Pointing]) -> Any:
    """Which sources come within two arcsec of a chip in any exposure; the others are dropped from the scene."""
    found = np.zeros(len(scene), dtype=bool)
    for pointing in pointings:
        for wcs in pointing.wcs:
            found |= _on_chip(scene["ra"], scene["dec"], wcs, pointing.facts.shape, MARGIN)[2]
    return found


def _psf_of(visit: Visit, x: Any, y: Any, number: int, focus: float) -> tuple[Any, Any]:
    """Width and lean of the PSF at pixels of SCI,``number + 1``; ``focus``: how far out of it, in sigmas."""
    rows, columns = visit.chip_shape
    # From the middle of the gap, in units of half of the frame.
    u, v = 2 * np.asarray(x) / columns - 1, np.asarray(y) / rows - (1 - number)
    return (1 + visit.psf_field * (u**2 + v**2) / 2) * (1 + visit.breathing * focus), (
        visit.coma * focus * np.column_stack([u, v])
    )


def _render(visit: Visit, scene: Table, wcs: HSTWCS, exptime: float, number: int = 0, focus: float = 0.0) -> Any:
    """Expected electrons of one chip, sky included.

    Flat-fielding conserves surface brightness: the sky is level, and the count of a source is its flux divided by the
    area of the pixel it falls on (relative to 0.05 arcsec squared). Drizzling restores the flux.
    """
    image = np.full(visit.chip_shape, visit.sky * exptime)
    x, y, inside = _on_chip(scene["ra"], scene["dec"], wcs, visit.chip_shape, MARGIN)
    sources, x, y = scene[inside], x[inside], y[inside]
    if not len(sources):
        return image
    matrices = jacobians(wcs, x, y)
    counts = np.asarray(sources["flux"]) * exptime / pixel_area(matrices)
    stars = np.asarray(sources["kind"] == "star")
    width, lean = _psf_of(visit, x[stars], y[stars], number, focus)
    if visit.spikes:
        add_spikes(image, x[stars], y[stars], counts[stars], NOMINAL_SCALE, share=visit.spikes)
        counts = counts * np.where(stars, 1 - visit.spikes, 1.0)
    add_stars(image, x[stars], y[stars], counts[stars], width=width, lean=lean)
    for k in np.flatnonzero(~stars):
        half_light, ratio, angle = (float(sources[n][k]) for n in ("half_light", "axis_ratio", "position_angle"))
        add_galaxy(image, x[k], y[k], counts[k], half_light, ratio, angle, matrices[k])
    return image


def _write_exposure(
    visit: Visit,
    index: int,
    true: Pointing,
    reported: Pointing,
    references: ReferenceFiles,
    scene: Table,
    defects: Mapping[int, Defects],
    data: Path,
) -> dict[str, Any]:
    """Render and write the files of one exposure; returns what truth.json records of it."""
    facts = reported.facts
    focus = float(generator(visit.seed, "focus", index).standard_normal())
    frames = [
        expose(
            _render(visit, scene, true.wcs[number], facts.exptime, number, focus), defects[chip], facts.exptime, visit,
            2 * index + number,
        )
        for number, chip in enumerate(CHIPS)
    ]  # fmt: skip
    if visit.make_raw:
        write_raw(data / f"{facts.rootname}_raw.fits", facts, references)
    for suffix in ("flt", "flc") if visit.make_flc else ("flt",):
        hdus: list[Any] = [fits.PrimaryHDU(header=primary_header(facts, references, suffix))]
        for number, frame in enumerate(frames):
            hdus += _chip_hdus(visit, number, frame, reported, suffix)
        fits.HDUList(hdus).writeto(data / f"{facts.rootname}_{suffix}.fits", overwrite=True)
    return _record(visit, index, true, reported, frames)


def _chip_hdus(visit: Visit, number: int, frame: ChipFrame, reported: Pointing, suffix: str) -> list[fits.ImageHDU]:
    """SCI, ERR and DQ of one chip."""
    sci, chip, hdus = frame.sci, CHIPS[number], []
    if suffix == "flt" and visit.cte_amplitude:
        # The noise is that of the FLC: the FLT is what the correction would have made the FLC from.
        sci = sci + charge_trails(frame.electrons, visit.cte_amplitude, chip == 1).astype(np.float32)
    for name, array in (("SCI", sci), ("ERR", frame.err), ("DQ", frame.dq)):
        header = chip_header(reported.facts, chip, name, reported.crval[number], reported.cd[number])
        if name == "SCI":
            header["NGOODPIX"] = int(np.sum(frame.dq == 0))
        hdus.append(fits.ImageHDU(array, header=header))
    return hdus


def _record(
    visit: Visit, index: int, true: Pointing, reported: Pointing, frames: Sequence[ChipFrame]
) -> dict[str, Any]:
    facts, extra = reported.facts, visit.exposure_errors.get(index, (0.0, 0.0))
    return {
        "rootname": facts.rootname, "exptime": facts.exptime, "expstart": facts.expstart,
        "dither": list(facts.postarg), "vafactor": facts.vafactor, "true_aperture": list(true.facts.aperture),
        "true_pa_v3": true.facts.pa_v3, "true_crval": [list(c) for c in true.crval],
        "reported_aperture": list(facts.aperture), "reported_pa_v3": facts.pa_v3,
        "reported_crval": [list(c) for c in reported.crval],
        "error": [p + e for p, e in zip(visit.pointing_error, extra, strict=True)],
        "roll_error": visit.exposure_rolls.get(index, 0.0), "cosmic_ray_hits": [f.n_cosmic_rays for f in frames],
        "saturated_pixels": [int(np.sum(f.dq & DQ_SATURATED > 0)) for f in frames],
    }  # fmt: skip
