"""Align HST exposures to the Gaia frame, verify the alignment and drizzle: the library behind the workflow's rules."""

__version__ = "0.1.0"
