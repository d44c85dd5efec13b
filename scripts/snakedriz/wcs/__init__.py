"""WCS solutions and headerlets: read, validate, switch, undo, and where they put pixels on the sky."""
