"""What a visit is called: by rootnames, or as the user groups associations (`visit.group` of the configuration)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: `visit.group`: "auto", or lists of associations.
Group = str | Sequence[Sequence[str]]


def observed_visit(rootname: str) -> str:
    """Return instrument, programme and visit of an exposure or association: ``ippp`` and ``ss`` of ``ipppssoot``."""
    return rootname[:6]


@dataclass(frozen=True)
class Visits:
    """Which associations are one visit.

    Attributes
    ----------
    group : "auto" or list of lists of str
        With "auto", associations of one observed visit. Else the groups themselves, each called after its first
        association; an association in no group is a visit of its own.
    """

    group: Group = "auto"

    @property
    def _groups(self) -> Sequence[Sequence[str]]:
        return () if isinstance(self.group, str) else self.group

    def of(self, association: str) -> str:
        """Return the visit that an association is fitted in, which names its folder below ``results/visits``."""
        alone = observed_visit(association) if isinstance(self.group, str) else association
        return next((min(names) for names in self._groups if association in names), alone)

    def associations(self, wanted: Sequence[str], visit: str) -> list[str]:
        """Return the associations of a visit, sorted: of a group even those that are not among the wanted ones."""
        if isinstance(self.group, str):
            return sorted(name for name in set(wanted) if self.of(name) == visit)
        return next((sorted(names) for names in self._groups if min(names) == visit), [visit])

    def fetched_with(self, rootname: str) -> str:
        """Return the observed visit whose fetched files serve an exposure or association.

        Observed visits that a group joins are fetched as one, called after the first. It is never more than a visit's
        six letters: services are asked about all exposures of a visit, whatever associations they belong to.
        """
        own = observed_visit(rootname)
        joined = ({observed_visit(name) for name in names} for names in self._groups)
        return next((min(names) for names in joined if own in names), own)
