"""The two ways a stage can end without a product: it went wrong, or it does not apply."""


class SnakedrizError(ValueError):
    """Something went wrong. The message names the file, what was found, what was expected and what to do."""


class NotApplicable(Exception):  # noqa: N818 - an outcome that is recorded, not an error
    """A stage cannot apply to this data, for the reason given; recorded as an outcome, never as a failure.

    Parameters
    ----------
    reason : str
        One sentence for the person who reads the report.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
