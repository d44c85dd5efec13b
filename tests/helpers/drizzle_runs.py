"""What runs of AstroDrizzle on a simulated visit are given."""

from snakedriz.drizzle.drizzle_input import DrizzleInput
from snakedriz.fits_headers.rootnames import ExposureKey

PARAMETERS = {
    "driz_sep_bits": "336", "final_bits": "336", "combine_type": "minmed", "driz_cr_snr": "3.5 3.0",
    "driz_cr_scale": "1.5 1.2", "final_wht_type": "EXP", "final_units": "cps", "skyclip": 5.0,
}  # fmt: skip
#: Flags of the detector, for single drizzles: hot and warm.
FIXED_BITS = 16 + 64


def inputs(visit, skeletons):
    """The FLC files of a visit of exposures of 500 s, with the WCS of skeletons."""
    keys = {ExposureKey.parse(path): path for path in visit.flc}
    return [DrizzleInput(key, path, skeletons[key], 500.0) for key, path in keys.items()]
