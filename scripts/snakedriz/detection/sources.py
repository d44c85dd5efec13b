"""Source catalogue of one exposure: stars with sub-pixel positions and honest errors, from pixels and DQ only.

For each chip: mask from DQ, background (photutils), segmentation of the kernel-convolved image, one source per
segment (its brightest pixel nearest the centre), centring and shape statistics by DAOStarFinder, and then a fit of an
effective PSF made from the chip's own stars. The last step is there because DAOStarFinder's marginal fits of an
undersampled PSF pull towards pixel centres; the effective PSF (Anderson & King 2000, PASP 112, 1360: the PSF as the
pixels see it, sampled finer than the pixels by the stars' different positions) does not.

Whatever is not like the PSF (cosmic rays, hot pixels, galaxies, blends) is flagged, so the list is usable where
cosmic-ray flags cannot be trusted. No WCS is used. A source whose core is a pixel that DQ knows to be hot or warm is
flagged as fixed to the detector and never used, for it repeats where it is whatever the sky does.

Far more sources are kept than a fit uses: which ones those are is decided when all exposures are known
(`snakedriz.alignment.source_selection`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table, vstack
from numpy.typing import NDArray

from snakedriz.detection import effective_psf
from snakedriz.detection.effective_psf import FWHM, Array, EffectivePSF, FloatArray, Mask
from snakedriz.errors import SnakedrizError
from snakedriz.exposures.screening import filter_names, text
from snakedriz.exposures.skeleton import extension_name, science_extensions
from snakedriz.fits_headers.rootnames import ExposureKey

REMEDY = "remove the masks and run again"
MOST_PSF_STARS = 500  # more do not sharpen the PSF
#: Bits of the column `flags`.
SATURATED, EDGE, TOUCHES_CR, NOT_STARLIKE, BAD_CORE, FIXED = 1, 2, 4, 8, 16, 32
COLUMNS: tuple[tuple[str, Any, str], ...] = (
    ("id", np.int64, ""),
    ("chip", np.int32, ""),
    ("x", np.float64, "pix"),
    ("y", np.float64, "pix"),
    ("x_err", np.float64, "pix"),
    ("y_err", np.float64, "pix"),
    ("flux", np.float64, ""),
    ("mag", np.float64, "mag"),
    ("snr", np.float64, ""),
    ("sharpness", np.float64, ""),
    ("roundness1", np.float64, ""),
    ("roundness2", np.float64, ""),
    ("peak", np.float64, ""),
    ("qfit", np.float64, ""),
    ("flags", np.int32, ""),
    ("use", np.bool_, ""),
)


def _empty() -> Table:
    return Table({name: np.empty(0, dtype=kind) for name, kind, _ in COLUMNS})


def _units(primary: fits.Header, science: fits.Header, exptime: float) -> tuple[float, float]:
    """Return electrons per unit of the SCI array, and the seconds by which its counts become a rate."""
    unit = str(science.get("BUNIT", "ELECTRONS")).upper().replace(" ", "")
    electrons = 1.0
    if unit.startswith(("COUNTS", "DN")):
        electrons = float(primary.get("ATODGAIN", primary.get("CCDGAIN", science.get("CCDGAIN", 1.0))))
    rate = unit.endswith("/S")
    return electrons * (exptime if rate else 1.0), (1.0 if rate else exptime)


def _background(data: FloatArray, mask: Mask, settings: Mapping[str, Any]) -> tuple[FloatArray, FloatArray, str]:
    """Background and its rms, both of the chip's shape, and how they were made."""
    from astropy.stats import SigmaClip, sigma_clipped_stats
    from photutils.background import Background2D, MedianBackground, SExtractorBackground

    estimator = {"median": MedianBackground, "sextractor": SExtractorBackground}[settings["background_estimator"]]
    box = int(settings["background_box_px"])
    try:
        found = Background2D(
            data,
            (box, box),
            mask=mask,
            exclude_percentile=settings["background_exclude_percent"],
            filter_size=int(settings["background_filter_boxes"]),
            sigma_clip=SigmaClip(sigma=3.0, maxiters=5),
            bkg_estimator=estimator(),
        )
        level, rms, how = found.background, found.background_rms, f"{settings['background_estimator']}, box {box} px"
    except ValueError as error:
        # photutils refuses when too few boxes have enough unmasked pixels.
        if np.count_nonzero(~mask) < 100:
            raise
        _, median, std = sigma_clipped_stats(data[~mask][:: max(1, data.size // 1_000_000)], sigma=3.0)
        shape = data.shape
        level, rms = np.full(shape, median, np.float32), np.full(shape, std, np.float32)
        how = f"one value for the chip ({error})"
    return level.astype(np.float32), np.maximum(rms.astype(np.float32), np.float32(1e-6)), how


def _segment_peaks(
    image: FloatArray, threshold: FloatArray, npixels: int, most: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], int, float]:
    """Segment `image` above `threshold`; return the peak of each segment (x, y), their number and the factor used.

    The threshold is raised until segments cover less than a share `most` of the image: in a crowd, segments at a low
    threshold are not single stars.
    """
    import warnings

    from photutils.segmentation import detect_sources
    from photutils.utils.exceptions import NoDetectionsWarning

    factor = 1.0
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NoDetectionsWarning)
            segments = detect_sources(image, threshold * factor, npixels)
        if segments is None:
            return np.empty(0, np.intp), np.empty(0, np.intp), 0, factor
        where = np.flatnonzero(segments.data)
        if len(where) < most * image.size or factor > 1000:
            break
        factor *= 1.5
    labels = segments.data.ravel()[where]
    y, x = np.divmod(where, image.shape[1])
    count = np.maximum(np.bincount(labels), 1)
    middle_x, middle_y = np.bincount(labels, x) / count, np.bincount(labels, y) / count
    away = (x - middle_x[labels]) ** 2 + (y - middle_y[labels]) ** 2
    order = np.lexsort((where, away, -image.ravel()[where], labels))  # brightest, then nearest the centre
    first = order[np.r_[True, np.diff(labels[order]) > 0]]
    return x[first].astype(np.intp), y[first].astype(np.intp), len(first), factor


def _centre(data: FloatArray, x: NDArray[np.intp], y: NDArray[np.intp], fwhm: float) -> dict[str, Array]:
    """DAOStarFinder's centres and shapes at given pixels; NaN where it finds none."""
    import warnings

    from photutils.detection import DAOStarFinder
    from photutils.utils.exceptions import NoDetectionsWarning
    from scipy.spatial import cKDTree

    names = ("xcentroid", "ycentroid", "sharpness", "roundness1", "roundness2", "peak")
    out = {name: np.full(len(x), np.nan) for name in names}
    wide = {"sharplo": -np.inf, "sharphi": np.inf, "roundlo": -np.inf, "roundhi": np.inf}
    finder = DAOStarFinder(threshold=0.0, fwhm=fwhm, xycoords=np.column_stack([x, y]), **wide)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDetectionsWarning)
        found = finder(data)
    if found is None or not len(found):
        return out
    # DAOStarFinder drops rows without saying which; a row belongs to the nearest pixel asked for.
    away, row = cKDTree(np.column_stack([found["xcentroid"], found["ycentroid"]])).query(np.column_stack([x, y]))
    near = away < 2.0 * fwhm
    for name in names:
        out[name][near] = np.asarray(found[name], dtype=float)[row[near]]
    return out


class _Chip:
    """One chip: pixels, masks, and the steps from them to a table."""

    def __init__(
        self,
        data: FloatArray,
        dq: NDArray[Any],
        cr: Mask,
        electrons: float,
        seconds: float,
        settings: Mapping[str, Any],
    ) -> None:
        from scipy.ndimage import binary_dilation

        self.settings, self.electrons, self.seconds = settings, electrons, seconds
        self.saturated: Mask = (dq & int(settings["saturated_bits"])) > 0
        self.bad: Mask = ((dq & int(settings["bad_bits"])) > 0) | ~np.isfinite(data)
        self.fixed: Mask = (dq & int(settings["fixed_bits"])) > 0
        self.grown = self.saturated
        if self.saturated.any():
            grow = max(1, round(settings["saturated_growth_fwhm"] * settings["fwhm_px"]))
            self.grown = binary_dilation(self.saturated, iterations=grow)
        self.cr = cr
        self.mask: Mask = self.bad | self.grown | cr
        level, self.rms, self.background_origin = _background(data, self.mask, settings)
        self.level = float(np.median(level[::16, ::16]))
        self.data = np.where(self.mask, np.float32(0), data - level)
        self.raw = np.where(self.bad, np.float32(0), data - level)
        self.sigma = settings["fwhm_px"] / FWHM
        self.half = max(3, round(1.5 * settings["fwhm_px"]))
        self.radius = max(2.3, settings["fit_radius_fwhm"] * settings["fwhm_px"])

    def variance(self, stamps: FloatArray, rms: FloatArray) -> Array:
        """Variances of stamps (native units squared): background, photons, and what the flat field leaves."""
        light = np.maximum(stamps, 0).astype(float)
        return rms.astype(float) ** 2 + light / self.electrons + (self.settings["flat_error"] * light) ** 2

    def inside(self, x: NDArray[np.intp], y: NDArray[np.intp]) -> Mask:
        """Whether a whole stamp fits on the chip."""
        ny, nx = self.data.shape
        h = self.half
        return np.asarray((x >= h) & (y >= h) & (x < nx - h) & (y < ny - h))

    def fit(
        self, x: NDArray[np.intp], y: NDArray[np.intp], start: Array, psf: EffectivePSF, free: bool
    ) -> dict[str, Any]:
        stamps = effective_psf.cut_stamps(self.data, x, y, self.half)
        rms = self.rms[y, x][:, None, None] * np.ones_like(stamps)
        good = ~effective_psf.cut_stamps(self.mask, x, y, self.half).astype(bool)
        variance = self.variance(stamps, rms)
        out: dict[str, Any] = effective_psf.fit_stamps(stamps, variance, good, start, psf, self.radius, free_width=free)
        out.update(stamps=stamps, variance=variance, good=good)
        return out

    def peaks(self, kernel: FloatArray, nsigma: float) -> tuple[NDArray[np.intp], NDArray[np.intp], int, float]:
        """Peaks of the segments of the convolved chip that are wider than one pixel, brightest first."""
        from scipy.ndimage import convolve

        smooth = convolve(self.data, kernel.astype(np.float32), mode="constant")
        # Noise of the convolved image: rms times the square root of the kernel's sum of squares.
        threshold = self.rms * np.float32(nsigma * np.sqrt(float((kernel**2).sum())))
        x, y, segments, factor = _segment_peaks(
            smooth, threshold, int(self.settings["segment_pixels"]), self.settings["segment_share"]
        )
        padded = np.pad(self.data, 1)
        box = effective_psf.cut_stamps(padded, x + 1, y + 1, 1)
        sharp = box.max(axis=(1, 2)) / np.maximum(box.sum(axis=(1, 2)), 1e-9)
        x, y = x[sharp < self.settings["single_pixel_share"]], y[sharp < self.settings["single_pixel_share"]]
        order = np.argsort(-smooth[y, x], kind="stable")[: int(self.settings["candidates"])]
        # The unconvolved peak, within one pixel of the convolved one, is where centring starts.
        return x[order], y[order], segments, factor

    def widths(self, x: NDArray[np.intp], y: NDArray[np.intp]) -> dict[str, Any]:
        return self.fit(x, y, np.zeros((len(x), 2)), EffectivePSF(self.sigma, self.half), free=True)

    def first_pass(self) -> None:
        """Fit widths of the brightest sources, found with a Gaussian kernel of the expected width."""
        step = np.arange(-self.half, self.half + 1)
        gauss = np.exp(-(step[:, None] ** 2 + step[None, :] ** 2) / (2 * self.sigma**2))
        x, y, _, _ = self.peaks(gauss / gauss.sum(), self.settings["kernel_nsigma"])
        keep = self.inside(x, y)
        self.bright = x[keep], y[keep], self.widths(x[keep], y[keep])

    def good_stars(self, found: Mapping[str, Any], x: NDArray[np.intp], y: NDArray[np.intp]) -> Mask:
        """Isolated, unblemished, bright sources of the common width."""
        from scipy.spatial import cKDTree

        if not len(x):
            return np.zeros(0, dtype=bool)
        tree = cKDTree(np.column_stack([x, y]))
        alone = np.ones(len(x), bool)
        for i, j in sorted(tree.query_pairs(2.0 * self.half)):
            for one, other in ((i, j), (j, i)):
                if found["flux"][other] > 0.05 * found["flux"][one]:
                    alone[one] = False
        like = np.abs(found["sigma"] - self.sigma) < 0.12 * self.sigma
        near = np.hypot(found["x"], found["y"]) < 1.2
        snr = found["flux"] / np.maximum(found["flux_err"], 1e-9)
        return np.asarray(_well_fitted(found) & alone & like & near & (snr > 30))


def _well_fitted(found: Mapping[str, Any]) -> Mask:
    """Sources that a Gaussian fits well, without a flagged pixel."""
    snr = found["flux"] / np.maximum(found["flux_err"], 1e-9)
    return np.asarray((snr > 15) & (found["qfit"] < 0.25 + 2 * found["noise"]) & found["good"].all(axis=(1, 2)))


def _common_psf(chips: list[_Chip]) -> tuple[FloatArray, str, Array, Array]:
    """Width, kernel and PSF stars of chips that share a PSF; sets their `sigma`.

    Returns
    -------
    kernel, origin, stamps, variances
        Kernel of unit sum and how it was made; stamps of the stars of all chips, and their variances.
    """
    width, weight = [], []
    for chip in chips:
        found = chip.bright[2]
        fitted = _well_fitted(found)
        width.append(found["sigma"][fitted])
        # A Gaussian fits stars better than most cosmic rays, so a good fit counts more.
        weight.append(1.0 / (found["qfit"][fitted] ** 2 + 0.08**2))
    sigma = effective_psf.common_width(np.concatenate(width), np.concatenate(weight), chips[0].sigma)
    stamps, variances, norm = [], [], []
    for chip in chips:
        chip.sigma = chip.sigma if sigma is None else sigma
        x, y, found = chip.bright
        stars = chip.good_stars(found, x, y)
        stamps.append(found["stamps"][stars])
        variances.append(found["variance"][stars])
        norm.append(found["stamps"][stars] / found["flux"][stars][:, None, None])
    every = np.concatenate(norm)
    if sigma is not None and len(every) >= 3:
        kernel = np.maximum(np.median(every, axis=0), 0)
        origin = f"median of {len(every)} stars, FWHM {sigma * FWHM:.2f} px"
    else:
        half = chips[0].half
        step = np.arange(-half, half + 1)
        kernel = np.exp(-(step[:, None] ** 2 + step[None, :] ** 2) / (2 * chips[0].sigma ** 2))
        origin = f"gaussian, FWHM {chips[0].sigma * FWHM:.2f} px"
    return kernel / kernel.sum(), origin, np.concatenate(stamps), np.concatenate(variances)


def _chip_table(
    chip: _Chip, version: int, common: tuple[FloatArray, str, Array, Array]
) -> tuple[Table, dict[str, Any]]:
    """Detect, centre, classify and cut the sources of one chip."""
    settings = chip.settings
    kernel, origin, stamps, variances = common
    about: dict[str, Any] = {
        "chip": version,
        "background": chip.level,
        "background_rms": float(np.median(chip.rms[::16, ::16])),
        "background_origin": chip.background_origin,
        "masked_share": float(chip.mask.mean()),
        "kernel": origin,
    }
    about["fwhm_px"] = chip.sigma * FWHM
    x, y, about["segments"], about["threshold_factor"] = chip.peaks(kernel, settings["nsigma"])
    about["candidates"] = len(x)
    if not len(x):
        return _empty(), {**about, "used": 0, "reason": "no segment above the threshold that is wider than a pixel"}
    dao = _centre(chip.data, x, y, max(chip.sigma * FWHM, 1.5))
    inside = chip.inside(x, y)
    table = _measure(chip, x, y, dao, inside, (stamps, variances), about)
    table["chip"] = version
    with np.errstate(divide="ignore", invalid="ignore"):
        table["mag"] = -2.5 * np.log10(np.where(table["flux"] > 0, table["flux"] / chip.seconds, np.nan))
    saturated = _saturated_rows(chip, version)
    return _cut(table, saturated, settings, about), about


def _measure(
    chip: _Chip,
    x: NDArray[np.intp],
    y: NDArray[np.intp],
    dao: Mapping[str, Array],
    inside: Mask,
    shared: tuple[Array, Array],
    about: dict[str, Any],
) -> Table:
    """Fit positions and set flags; rows in the order of the candidates."""
    settings = chip.settings
    table = Table({name: np.zeros(len(x), dtype=kind) for name, kind, _ in COLUMNS})
    for name in ("x_err", "y_err", "flux", "snr", "qfit"):
        table[name] = np.nan
    table["x"], table["y"] = dao["xcentroid"], dao["ycentroid"]
    for name in ("sharpness", "roundness1", "roundness2"):
        table[name] = dao[name]
    flags = np.zeros(len(x), dtype=np.int32)
    flags[~inside | ~np.isfinite(dao["xcentroid"])] |= EDGE
    table["peak"] = chip.data[y, x]
    which = np.flatnonzero(inside)
    px, py = x[which], y[which]
    first = chip.widths(px, py)
    best = np.flatnonzero(chip.good_stars(first, px, py))[:MOST_PSF_STARS]
    stamps, variances = first["stamps"][best], first["variance"][best]
    if len(best) < settings["least_own_psf_stars"] and len(shared[0]) > len(best):
        stamps, variances = shared[0][:MOST_PSF_STARS], shared[1][:MOST_PSF_STARS]
    psf = effective_psf.build(stamps, variances, chip.sigma, chip.radius)
    about["psf"], about["psf_stars"] = psf.origin, len(stamps)
    start = np.column_stack([first["x"], first["y"]])
    found = chip.fit(px, py, start, psf, free=False)
    about["misfit"], excess = _excess(found, best, settings["excess_nsigma"])
    floor = settings["centroid_floor_px"]
    table["x"][which] = px + found["x"]
    table["y"][which] = py + found["y"]
    table["x_err"][which] = np.hypot(found["x_err"] * excess, floor)
    table["y_err"][which] = np.hypot(found["y_err"] * excess, floor)
    table["flux"][which] = found["flux"]
    table["snr"][which] = found["flux"] / np.maximum(found["flux_err"], 1e-9)
    table["qfit"][which] = found["qfit"]
    like = found["qfit"] < settings["qfit_limit"] + settings["qfit_noise"] * found["noise"]
    like &= np.abs(first["sigma"] / chip.sigma - 1) < settings["width_tolerance"] + settings[
        "width_noise"
    ] / np.maximum(table["snr"][which], 1.0)
    like &= (np.hypot(found["x"], found["y"]) < 1.4) & (found["flux"] > 0)
    flags[which[~like]] |= NOT_STARLIKE
    core = effective_psf.cut_stamps(chip.mask, px, py, 1)
    flags[which[(core.sum(axis=(1, 2)) > 1) | core[:, 1, 1]]] |= BAD_CORE
    flags[which[_on_fixed(chip, px, py, found)]] |= FIXED
    near = effective_psf.cut_stamps(chip.cr, px, py, 2).any(axis=(1, 2))
    flags[which[near]] |= TOUCHES_CR
    flags[chip.grown[y, x]] |= SATURATED
    table["flags"] = flags
    never = EDGE | SATURATED | BAD_CORE | FIXED | (NOT_STARLIKE if settings["classify"] else 0)
    table["use"] = ((flags & never) == 0) & (np.nan_to_num(table["snr"]) > settings["least_snr"])
    about["not_starlike"] = int(((flags & NOT_STARLIKE) > 0).sum())
    about["edge"] = int(((flags & EDGE) > 0).sum())
    about["fixed"] = int(((flags & FIXED) > 0).sum())
    return table


def _on_fixed(chip: _Chip, x: NDArray[np.intp], y: NDArray[np.intp], found: Mapping[str, Any]) -> Mask:
    """Whether the peak or the fitted centre is on a pixel known to be hot or warm; in the wings one does no harm."""
    ny, nx = chip.fixed.shape
    away = np.nan_to_num(np.column_stack([found["x"], found["y"]])).clip(-chip.half, chip.half)
    column = np.clip(np.rint(x + away[:, 0]).astype(np.intp), 0, nx - 1)
    row = np.clip(np.rint(y + away[:, 1]).astype(np.intp), 0, ny - 1)
    return np.asarray(chip.fixed[y, x] | chip.fixed[row, column], dtype=bool)


def _excess(found: Mapping[str, Any], stars: NDArray[np.intp], nsigma: float) -> tuple[float, Array]:
    """Find what residuals enlarge errors by: those of a neighbour or a ray do, those common to all stars do not.

    A PSF model that is a little too wide or too narrow leaves residuals in every star, in proportion to its light, but
    moves none, for they are symmetric. What good stars have of them is allowed before residuals count against a star.

    Returns
    -------
    misfit : float
        The share of the light in a pixel by which the model is commonly wrong.
    excess : array, shape (n,)
        Factors for the errors of positions, 1 to 10.
    """
    expected, light2 = np.maximum(found["expected"], 1e-30), np.maximum(found["light2"], 1e-30)
    common = float(np.median((found["square"] - expected)[stars] / light2[stars])) if len(stars) else 0.0
    common = max(common, 0.0)
    ratio = np.sqrt(found["square"] / (expected + common * light2))
    ratio = np.where(ratio > 1.0 + nsigma / np.sqrt(2.0 * found["freedom"]), ratio, 1.0)
    return float(np.sqrt(common)), np.clip(ratio, 1.0, 10.0)


def _saturated_rows(chip: _Chip, version: int) -> Table:
    """One row per group of saturated pixels, by its centre of light; never used in a fit."""
    from scipy.ndimage import center_of_mass, label
    from scipy.ndimage import sum as label_sum

    labels, n = label(chip.saturated, structure=np.ones((3, 3)))
    if not n:
        return _empty()
    sizes = np.bincount(labels.ravel())[1:]
    which = np.flatnonzero(sizes >= chip.settings["saturated_pixels"]) + 1
    table = Table({name: np.zeros(len(which), dtype=kind) for name, kind, _ in COLUMNS})
    if not len(which):
        return _empty()
    centres = np.asarray(center_of_mass(chip.saturated.astype(np.float32), labels, which)).reshape(-1, 2)
    table["y"], table["x"] = centres[:, 0], centres[:, 1]
    table["flux"] = label_sum(chip.raw, labels, which)
    table["mag"] = -2.5 * np.log10(np.maximum(table["flux"], 1e-9) / chip.seconds)
    for name in ("x_err", "y_err"):
        table[name] = np.sqrt(sizes[which - 1])
    for name in ("snr", "sharpness", "roundness1", "roundness2", "peak", "qfit"):
        table[name] = np.nan
    table["chip"], table["flags"] = version, SATURATED
    return table


def _cut(table: Table, saturated: Table, settings: Mapping[str, Any], about: dict[str, Any]) -> Table:
    """Keep the usable sources as far as the bound goes, the brightest of the others for the record; by flux."""
    most = int(settings["kept_per_chip"])
    table = table[np.lexsort((table["y"], table["x"], -np.nan_to_num(table["flux"])))]
    used = np.flatnonzero(table["use"])
    others = np.flatnonzero(~table["use"] & np.isfinite(table["x"]))[: int(settings["max_per_chip"])]
    about["used"], about["usable"], about["saturated"] = min(len(used), most), len(used), len(saturated)
    if not len(used):
        about["reason"] = (
            f"{len(table)} candidates, none usable: {about['not_starlike']} not like the PSF, "
            f"{about['edge']} at the edge"
        )
    return vstack([table[used[:most]], table[others], saturated], metadata_conflicts="silent")


def find_sources(
    exposure: str | Path, settings: Mapping[str, Any], crmask: str | Path | None = None, trust_crmask: bool = False
) -> Table:
    """Make the source catalogue of one exposure.

    Parameters
    ----------
    exposure : path
        Calibrated exposure (`_flt`, `_flc` or `_c0m`), opened read-only; each SCI and DQ array is read once.
    settings : mapping
        The numbers of the detector (`settings.detector_settings`), or their block `sources`.
    crmask : path, optional
        Bundle of cosmic-ray masks: extension `<ROOTNAME>`, EXTVER of the chip, 1 = flagged.
    trust_crmask : bool
        Whether flagged pixels are left out. False where the flags were made with exposures that may be displaced:
        displaced stars are then flagged as cosmic rays. Without a `crmask` it applies to the cosmic-ray bits of DQ.

    Returns
    -------
    `~astropy.table.Table`
        id, chip (EXTVER), x, y (px, 0-based), x_err, y_err (px), flux (units of SCI), mag (-2.5 log10 of the flux per
        second), snr, sharpness, roundness1, roundness2 (DAOFIND), peak (units of SCI, background subtracted), qfit
        (sum of absolute residuals over flux), flags (1 saturated, 2 edge, 4 touches a cosmic ray, 8 not like the PSF,
        16 bad or flagged pixels in the core, 32 fixed to the detector), use. At most `kept_per_chip` of use in a chip.
        Empty, with `meta["reason"]`, if no chip has any source. `meta`: exposure, detector, filter, settings, and of
        each chip its place on the detector, counts, background level, kernel and PSF.

    Raises
    ------
    SnakedrizError
        If the exposure has no SCI extension or the bundle lacks one of its chips.
    """
    settings = settings.get("sources", settings)
    exposure = Path(exposure)
    with fits.open(exposure, mode="readonly", memmap=False) as hdul:
        primary = hdul[0].header
        rootname = str(primary.get("ROOTNAME", ExposureKey.parse(exposure).rootname)).strip().lower()
        exptime = float(primary.get("EXPTIME", 1.0)) or 1.0
        versions = science_extensions(hdul)
        if not versions:
            raise SnakedrizError(
                f"{exposure}: has no SCI extension; expected a calibrated HST exposure", "fetch the file again"
            )
        ready: dict[int, _Chip] = {}
        places: dict[int, dict[str, Any]] = {}
        for version in versions:
            places[version] = _on_detector(hdul["SCI", version].header, version)
            flagged = None
            if trust_crmask and crmask is not None:
                flagged = _cr_flags(Path(crmask), rootname, version, hdul["SCI", version].shape)
            chip = _read_chip(hdul, version, settings, flagged, trust_crmask)
            if chip is not None:
                ready[version] = chip
    chips: list[dict[str, Any]] = [
        {"chip": version, "used": 0, "reason": "no good pixels"} for version in versions if version not in ready
    ]
    tables: list[Table] = []
    together = [list(ready)] if settings["share_psf"] else [[version] for version in ready]
    for versions in together if ready else []:
        common = _common_psf([ready[version] for version in versions])
        for version in versions:
            table, about = _chip_table(ready.pop(version), version, common)
            chips.append(about)
            tables.append(table)
    for about in chips:
        about.update(places[about["chip"]])
    table = vstack(tables, metadata_conflicts="silent") if tables else _empty()
    table["id"] = np.arange(1, len(table) + 1)
    for name, _, unit in COLUMNS:
        table[name].unit = unit or None
    table.meta = {
        "exposure": exposure.name,
        "rootname": rootname,
        "exptime": exptime,
        "detector": "/".join(text(primary, keyword) for keyword in ("INSTRUME", "DETECTOR")),
        "filter": ",".join(filter_names(primary)),
        "crmask_used": bool(trust_crmask),
        "used": int(table["use"].sum()) if len(table) else 0,
        "chips": chips,
        "settings": dict(settings),
        "flags": "1 saturated, 2 edge, 4 touches a cosmic ray, 8 not like the PSF, 16 bad pixels in the core, "
        "32 fixed to the detector",
    }
    if not table.meta["used"]:
        table.meta["reason"] = "; ".join(f"chip {c['chip']}: {c.get('reason', 'no usable source')}" for c in chips)
    return table


def _on_detector(science: fits.Header, version: int) -> dict[str, Any]:
    """Return which chip of the detector it is, and where on it the array's (0, 0) lies (px): subarrays are parts."""
    return {
        "ccdchip": int(science.get("CCDCHIP", version)),
        "origin_px": [0.0 - float(science.get(keyword, 0.0)) for keyword in ("LTV1", "LTV2")],
    }


def _read_chip(
    hdul: fits.HDUList, version: int, settings: Mapping[str, Any], flagged: Mask | None, trust_dq: bool
) -> _Chip | None:
    """Read one chip and look for its brightest sources; None if it has no good pixels.

    Without a mask of cosmic rays those of DQ count, if they are to be trusted.
    """
    science = hdul["SCI", version]
    has_dq = ("DQ", version) in [extension_name(hdu) for hdu in hdul]
    dq = hdul["DQ", version].data if has_dq else None
    dq = np.zeros(science.shape, np.int16) if dq is None else dq
    if flagged is None:
        flagged = (dq & int(settings["cr_bits"])) > 0 if trust_dq else np.zeros(science.shape, dtype=bool)
    if science.data is None:
        return None
    data = np.asarray(science.data, dtype=np.float32)
    bad = ((dq & int(settings["bad_bits"])) > 0) | ~np.isfinite(data)
    if np.count_nonzero(~bad) < 1000 or not np.any(data[~bad]):
        return None
    exptime = float(hdul[0].header.get("EXPTIME", 1.0)) or 1.0
    chip = _Chip(data, dq, flagged, *_units(hdul[0].header, science.header, exptime), settings)
    chip.first_pass()
    del science.data
    return chip


def _cr_flags(path: Path, rootname: str, version: int, shape: tuple[int, ...]) -> Mask:
    with fits.open(path, memmap=False) as bundle:
        try:
            flagged = np.asarray(bundle[rootname.upper(), version].data, dtype=bool)
        except KeyError as error:
            have = ", ".join(sorted({f"{h.name},{h.ver}" for h in bundle[1:]}))
            raise SnakedrizError(
                f"{path}: has no mask {rootname.upper()},{version}; it holds {have}", REMEDY
            ) from error
    if flagged.shape != shape:
        raise SnakedrizError(
            f"{path}: the mask of {rootname} chip {version} has shape {flagged.shape}, not {shape}", REMEDY
        )
    return flagged
