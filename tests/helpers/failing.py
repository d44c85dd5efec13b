"""The failures that every service is put through: what the server does, and the type of error it must end in."""

from snakedriz.services import failures

EVERY = {
    "silence": failures.TimedOut,
    "hang up": failures.Unreachable,
    "500": failures.ServerFault,
    "503": failures.ServerFault,
    "429": failures.ServerFault,
    "403": failures.Refused,
    "404 of a wrong address": failures.ServiceError,
    "html": failures.HtmlPage,
    "html under another name": failures.HtmlPage,
    "other type": failures.WrongType,
    "empty": failures.EmptyAnswer,
    "redirect": failures.Redirected,
    "cut": failures.Truncated,
    "cut without length": failures.Truncated,
}
