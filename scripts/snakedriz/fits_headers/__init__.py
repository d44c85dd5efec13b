"""FITS headers: fast reading, keywords, rootnames, names of WCS solutions."""
