"""Candidates: how the exposures of each candidate get their WCS solution."""
