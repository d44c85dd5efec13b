"""The detectors of the power study, by numbers: geometry, noise, defects, point-spread function.

Pixels of the drizzled frame are square; `factor` says how many detector pixels there are to one of them along x and y,
so that the sub-pixel phases go round every 50 to 100 px of a frame, as geometric distortion makes them do.
"""

from __future__ import annotations

from dataclasses import dataclass

from snakedriz.simulate.pixels import Psf

#: 1 sigma per axis of an exposure's pointing within one visit. Exposures of an orbit are displaced against the first by
#: 2.1 to 2.3 mas and turned by 0.0007 to 0.00097 deg (ACS ISR 2005-07): those are differences of two, the shift of two
#: axes.
JITTER_MAS, JITTER_ROLL_DEG = 1.15, 0.0006
#: Radial displacement, rms, of what was taken after the guide stars were acquired again; and what HST repeats to within
#: a visit at worst (WFPC2 Instrument Handbook, 7.13: 3 mas, better than 5 mas; DrizzlePac Handbook 2012, B.3: 2 to 5
#: mas rms). A visit that repeats as well as this is a good visit.
REACQUIRED_MAS, REPEATABILITY_MAS = 3.0, 5.0
#: 1 sigma of what the geometric distortion leaves, px, over some 500 px.
DISTORTION_PX = 0.01


@dataclass(frozen=True)
class Detector:
    """One detector. Charges in electrons, rates in electrons/s per pixel; `name` is that in detectors.yaml.

    psf_field, breathing, coma   see `snakedriz.simulate.Visit`
    hot, warm, new, columns      share of hot pixels, of warm ones, of the hot ones that are not flagged, of bad columns
    tail                         exponent of the hot pixels' currents (`snakedriz.simulate.detector.hot_currents`)
    rays                         cosmic rays per cm2 and s; of the IR detector those that are left of the ramp's
    cte                          share of the charge deferred over 2048 rows: what the correction leaves
    bleeds                       whether what exceeds the full well runs along the columns
    afterglows                   images of a former visit's stars in a frame (persistence)
    cr_scale, cr_snr             parameters of drizCR; None: no cosmic-ray step
    """

    name: str
    chip: tuple[int, int]
    scale: float
    factor: tuple[float, float]
    psf: Psf
    full_well: float
    read_noise: float
    exptime: float
    sky: float
    psf_field: float = 0.0
    chips: int = 1
    gap: int = 0
    pixel_um: float = 15.0
    breathing: float = 0.025
    coma: float = 0.05
    hot: float = 0.0
    warm: float = 0.0
    new: float = 0.0
    columns: float = 0.0
    tail: float = 1.26
    rays: float = 0.0
    cte: float = 0.0
    spikes: float = 0.02
    afterglows: int = 0
    bleeds: bool = True
    cr_scale: tuple[float, float] | None = (1.5, 1.2)
    cr_snr: tuple[float, float] = (3.5, 3.0)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the whole detector, gap included."""
        return self.chips * self.chip[0] + (self.chips - 1) * self.gap, self.chip[1]

    @property
    def goal_px(self) -> float:
        """Displacement that has to be noticed: 0.2 px, or twice the repeatability of the pointing."""
        return max(0.2, round(2 * REPEATABILITY_MAS / (1000 * self.scale), 2))


#: Read noise, full well, sky and pixel sizes: instrument handbooks of ACS and WFC3. Hot pixels of WFC: `Visit.hot_tail`
#: and ACS ISR 2002-06; HRC heals more of them (the same); UVIS as WFC. Rays: 1.2 per cm2 and s. PSFs: cores and wings
#: that give the FWHM of settings/detectors.yaml. Field dependence: ACS Instrument Handbook, 5.6.6 (WFC 20 per cent, HRC
#: and SBC reasonably constant).
WFC = Detector(
    "ACS/WFC", (2048, 4096), 0.05, (1.02, 1.012), Psf(), 84_700.0, 4.5, 500.0, 0.1, psf_field=0.15, chips=2, gap=50,
    hot=0.015, warm=0.01, new=0.02, columns=0.002, rays=1.2, cte=0.001,
)  # fmt: skip
UVIS = Detector(
    "WFC3/UVIS", (2051, 4096), 0.04, (1.012, 1.02), Psf((0.85, 0.15), (0.75, 2.0)), 63_000.0, 3.1, 500.0, 0.05,
    psf_field=0.1, chips=2, gap=31, hot=0.015, warm=0.01, new=0.02, columns=0.002, rays=1.2, cte=0.002,
)  # fmt: skip
HRC = Detector(
    "ACS/HRC", (1024, 1024), 0.025, (0.885, 0.995), Psf((0.75, 0.25), (0.85, 2.8)), 155_000.0, 4.7, 500.0, 0.02,
    psf_field=0.05, pixel_um=21.0, hot=0.01, warm=0.01, new=0.02, columns=0.001, rays=1.2, cte=0.001,
)  # fmt: skip
#: 0.1355 x 0.1211 arcsec. Afterglows: WFC3 Data Handbook, 8.1 (0.1 e-/s in the brightest pixels is "very obvious").
IR = Detector(
    "WFC3/IR", (1014, 1014), 0.1283, (0.947, 1.059), Psf((0.85, 0.15), (0.45, 1.4)), 78_000.0, 15.0, 500.0, 0.8,
    psf_field=0.05, pixel_um=18.0, hot=0.004, warm=0.01, new=0.05, columns=0.0, rays=0.005, afterglows=12, bleeds=False,
    cr_scale=(3.0, 2.4), cr_snr=(5.0, 4.0),
)  # fmt: skip
#: Photon counting: neither read noise nor full well nor cosmic rays; dark 1.2e-5 e-/s.
SBC = Detector(
    "ACS/SBC", (1024, 1024), 0.03, (0.9, 1.01), Psf((0.65, 0.35), (1.2, 4.0)), 1e9, 0.0, 1000.0, 3e-4,
    pixel_um=25.0, spikes=0.0, cr_scale=None,
)  # fmt: skip
DETECTORS = {"wfc": WFC, "uvis": UVIS, "hrc": HRC, "ir": IR, "sbc": SBC}
