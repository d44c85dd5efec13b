"""What the XML of the services holds."""

from __future__ import annotations

from xml.etree import ElementTree

from snakedriz.services import failures


def tree(body: bytes, service: str, url: str) -> ElementTree.Element:
    """Parse an answer in XML.

    Raises
    ------
    ServiceError
        Truncated if it ends too early, BadAnswer if it is no XML or declares entities, which no answer needs.
    """
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise failures.BadAnswer(service, url, "XML with a DOCTYPE, which no answer of this service has")
    try:
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        broken = "no element found" in str(error) or "unclosed token" in str(error)
        kind = failures.Truncated if broken else failures.BadAnswer
        raise kind(service, url, f"no complete XML ({error}); it begins with {body[:60]!r}") from error


def text(element: ElementTree.Element, tag: str) -> str | None:
    """Return the text of the first element of a name, at any depth, namespaces and case aside; None without one."""
    for found in element.iter():
        if isinstance(found.tag, str) and found.tag.rpartition("}")[2].lower() == tag.lower():
            return (found.text or "").strip()
    return None
