"""Which associations are one visit: by their rootnames, or as the user groups them."""

from __future__ import annotations

from collections.abc import Sequence

Group = str | Sequence[Sequence[str]]


def visit_of(group: Group, association: str) -> str:
    """Return the name of the visit of an association.

    Parameters
    ----------
    group : "auto" or list of lists of str
        With "auto" associations of one instrument, programme and visit belong together: the first six characters of
        their rootnames, ``ippp`` and ``ss`` of ``ipppssoot``. Else the groups themselves; each is called after its
        first association, and an association in no group is a visit of its own.
    association : str
        Its rootname.
    """
    if isinstance(group, str):
        return association[:6]
    return next((min(names) for names in group if association in names), association)


def associations_of(group: Group, wanted: Sequence[str], visit: str) -> list[str]:
    """Return the associations of a visit, sorted.

    Parameters
    ----------
    group : "auto" or list of lists of str
        As in `visit_of`. Associations of a group take part even where they are not among the wanted ones.
    wanted : sequence of str
        The associations asked for.
    visit : str
        Name from `visit_of`.
    """
    if isinstance(group, str):
        return sorted(name for name in set(wanted) if visit_of(group, name) == visit)
    return next((sorted(names) for names in group if min(names) == visit), [visit])
