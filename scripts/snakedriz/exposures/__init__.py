"""Exposures: associations, what can be used and why not, the inventory, headers without pixels."""
