"""Final products: exposures, headerlets, manifest and trailer."""
