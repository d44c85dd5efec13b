"""The two ways a stage can end without a product: it went wrong, or it does not apply."""


class SnakedrizError(ValueError):
    """Something went wrong, said for people.

    Parameters
    ----------
    reason : str
        Which file, what was found, and what was expected.
    remedy : str
        What to do about it.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason, remedy)
        self.reason, self.remedy = reason, remedy

    def __str__(self) -> str:
        return f"{self.reason}; {self.remedy}"


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
