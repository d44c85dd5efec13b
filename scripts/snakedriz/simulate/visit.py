"""What to simulate: the options of a visit and what follows from them directly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from snakedriz.simulate.distortion import NOMINAL_SCALE, filter_model
from snakedriz.simulate.pixels import psf_peak

REFERENCE_SPAN = 4.0  # the reference catalogue reaches this many magnitudes below its bright limit
#: The options that make the detector as bad as a real one. Hot pixels: 1.5 per cent, where ACS ISR 2002-06 expects 2
#: after three years; their tail: `detector.hot_currents`; new ones: 330 a day above 0.1 e-/s (ACS Instrument Handbook
#: for Cycle 14, table 4.3) in half of the month that a reference dark is made of. The FWHM goes from 0.10 to 0.13
#: arcsec over the field in F550M (the same, 5.6.6), not all of it radially. Focus varies by 2 micron in an orbit (Hasan
#: and Bely 1993), which widens the core by 2 to 3 per cent; coma is of the same order (own choice).
REAL_DETECTOR: dict[str, float] = {
    "hot_pixels": 0.015, "hot_tail": 1.26, "hot_residual": 0.05, "hot_unflagged": 0.02, "spikes": 0.02,
    "psf_field": 0.15, "breathing": 0.025, "coma": 0.05,
}  # fmt: skip
GAP_STEP = 60 * NOMINAL_SCALE  # arcsec in y: wider than the gap of about 50 pixels


@dataclass(frozen=True)
class Visit:
    """What to simulate. Sky angles in deg, small offsets in arcsec, times in s, charges in electrons.

    ra, dec          true position of the aperture's reference point (the middle of the gap) for a dither of (0, 0)
    dither           (dx, dy) per exposure: how far the stars move along the detector axes; None for the default pattern
    pointing_error   reported minus true, (dRA cos dec, dDec), of all exposures: an error of the guide-star catalogue
    exposure_errors  further errors of single exposures, by index: their misalignment relative to the others
    exposure_rolls   reported minus true PA_V3 of single exposures, deg, by index, about the aperture's reference point
    gsc_residual     what is left of ``pointing_error`` after the guide-star correction in offsets.ecsv
    first_exposure   exposures of the visit before the first one: where the counting in their rootnames starts
    colour           mean and 1 sigma of the stars' magnitude in this filter minus that in another (`simulate_visit`)
    n_stars, n_galaxies  sources within two arcsec of a chip in at least one exposure
    mag_range        of the stars, with 10**(0.15 mag) of them per magnitude
    n_reference      rows of the Gaia-like table at most; None for 60
    reference_mag_range  None for the four magnitudes that begin 0.2 below saturation
    reference_error  1 sigma per axis of the positions in that table, mas; pm_mean, pm_sigma, pm_error in mas/yr
    sky              e-/s per pixel; ``cr_rate`` hits per cm2 and s; the others of that group are fractions
    cte_amplitude    fraction of the charge deferred over 2048 rows, in the FLT only
    noise            False for images without photon and read noise
    hot_tail         exponent of the hot pixels' currents, None for as many in each decade (`detector.hot_currents`)
    hot_residual     1 sigma of the relative error of their subtraction, the same in all exposures
    hot_unflagged    fraction of the hot pixels that is too new for the reference dark: neither subtracted nor flagged
    spikes           share of a star's light in diffraction spikes (`pixels.SPIKE_SHARE`)
    psf_field        by how much wider the PSF is in the corners of the frame than in its middle, relative
    breathing        1 sigma of each exposure's own relative change of the PSF's width
    coma             displacement (px) of the PSF's wing at the edge of the frame, in proportion to how far the exposure
                     is out of focus in units of ``breathing``
    vafactor         velocity aberration factor of the first exposure; it drifts by 1e-6 an exposure
    """

    asn: str = "jdemo1010"
    n_exposures: int = 4
    exptime: float | tuple[float, ...] = 500.0
    filter: str = "F814W"
    ra: float = 150.06625
    dec: float = 2.185
    pa_v3: float = 239.8992
    dither: tuple[tuple[float, float], ...] | None = None
    chip_shape: tuple[int, int] = (512, 1024)
    pointing_error: tuple[float, float] = (0.35, -0.40)
    exposure_errors: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    exposure_rolls: Mapping[int, float] = field(default_factory=dict)
    gsc_residual: tuple[float, float] = (0.03, -0.02)
    n_stars: int = 300
    mag_range: tuple[float, float] = (17.0, 25.5)
    n_galaxies: int = 40
    n_reference: int | None = None
    reference_mag_range: tuple[float, float] | None = None
    reference_error: float = 1.0
    pm_mean: tuple[float, float] = (0.0, 0.0)
    pm_sigma: float = 0.0
    pm_error: float = 0.0
    expstart: float = 56112.82084112
    sky: float = 0.1
    read_noise: float = 4.5
    cr_rate: float = 1.2
    hot_pixels: float = 0.002
    warm_pixels: float = 0.002
    bad_columns: float = 0.002
    full_well: float = 84700.0
    cte_amplitude: float = 0.003
    vafactor: float = 0.9999573804195
    noise: bool = True
    make_flc: bool = True
    make_raw: bool = True
    seed: int = 1
    first_exposure: int = 0
    colour: tuple[float, float] = (0.0, 0.0)
    hot_tail: float | None = None
    hot_residual: float = 0.0
    hot_unflagged: float = 0.0
    spikes: float = 0.0
    psf_field: float = 0.0
    breathing: float = 0.0
    coma: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated, with the reason. Raises ValueError."""
        if len(self.asn) != 9 or self.asn != self.asn.lower() or not self.asn.isalnum():
            raise ValueError(f"asn must be nine lower-case letters and digits, not {self.asn!r}")
        if not 1 <= self.n_exposures <= 200:
            raise ValueError(f"n_exposures must be 1 to 200, not {self.n_exposures}")
        if isinstance(self.exptime, tuple) and len(self.exptime) != self.n_exposures:
            raise ValueError(f"{len(self.exptime)} exposure times for {self.n_exposures} exposures")
        if self.dither is not None and len(self.dither) != self.n_exposures:
            raise ValueError(f"{len(self.dither)} dither positions for {self.n_exposures} exposures")
        for name in ("exposure_errors", "exposure_rolls"):
            unknown = [i for i in getattr(self, name) if not 0 <= i < self.n_exposures]
            if unknown:
                raise ValueError(f"{name} names exposures {unknown} of {self.n_exposures}")
        if min(self.chip_shape) < 64:
            raise ValueError(f"chips must be at least 64 pixels a side, not {self.chip_shape}")
        filter_model(self.filter)

    @property
    def exptimes(self) -> tuple[float, ...]:
        """Exposure time (s) of each exposure."""
        return self.exptime if isinstance(self.exptime, tuple) else (float(self.exptime),) * self.n_exposures

    @property
    def rootnames(self) -> tuple[str, ...]:
        """Rootnames of the exposures: the visit's six characters, two that count, and q."""
        digits = "123456789abcdefghijklmnopqrstuvwxyz"
        return tuple(
            f"{self.asn[:6]}{chr(ord('a') + i // len(digits))}{digits[i % len(digits)]}q"
            for i in range(self.first_exposure, self.first_exposure + self.n_exposures)
        )

    @property
    def dithers(self) -> tuple[tuple[float, float], ...]:
        """Dither positions (arcsec along the detector axes), the default pattern where none is given.

        The default steps over the gap in y so that no place on the sky falls into it twice in four exposures, moves by
        half a per cent of the frame in x, and adds half pixels so that four exposures sample four sub-pixel phases.
        """
        if self.dither is not None:
            return self.dither
        pattern = []
        for i in range(self.n_exposures):
            turn, k = divmod(i, 4)
            x = (0, 1, -1, 2)[k] * round(self.chip_shape[1] / 200) + (0.0, 0.5, 0.0, 0.5)[k] + 3.25 * turn
            y = (0, 1, -1, 2)[k] * GAP_STEP / NOMINAL_SCALE + (0.0, 0.0, 0.5, 0.5)[k] + 7.25 * turn
            pattern.append((round(x * NOMINAL_SCALE, 6), round(y * NOMINAL_SCALE, 6)))
        return tuple(pattern)

    @property
    def saturation_mag(self) -> float:
        """Magnitude of a star whose brightest pixel just reaches full well in the longest exposure, centred."""
        rate = (self.full_well / max(self.exptimes) - self.sky) / psf_peak()
        return filter_model(self.filter).zeropoint - 2.5 * math.log10(rate)

    @property
    def reference_range(self) -> tuple[float, float]:
        """Magnitudes of the stars in the Gaia-like table."""
        if self.reference_mag_range is not None:
            return self.reference_mag_range
        return self.saturation_mag + 0.2, self.saturation_mag + 0.2 + REFERENCE_SPAN

    @property
    def epoch(self) -> float:
        """Julian year of the first exposure."""
        return 2000.0 + (self.expstart - 51544.5) / 365.25
