"""Detection: source catalogues of exposures, with the effective PSF of their own stars."""
