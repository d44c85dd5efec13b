"""JSON files that jobs hand to each other, one module each: typed, versioned, checked when read and when written.

Nothing is imported here: a job loads the models it uses, and no others.
"""
