"""Drizzling: AstroDrizzle run once per candidate, its CR flags, single drizzles and products."""
