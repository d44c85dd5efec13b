"""Verification: what is measured of a candidate, against which limits, and the verdicts."""
