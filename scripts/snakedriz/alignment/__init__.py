"""Alignment: sources matched to each other and to a catalogue, fits of the WCS, their quality and selection."""
