"""Promotion: reads artefacts, decides which candidate wins, says why."""
