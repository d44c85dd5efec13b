"""Reference catalogues: one normal form, cut to the field, at the epoch of each exposure."""
