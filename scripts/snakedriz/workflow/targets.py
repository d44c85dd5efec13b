"""What the rules without outputs ask for: lists of files of all associations, sorted as the associations are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snakedriz.workflow.plan import Plan


def results(plan: Plan) -> list[str]:
    """Return promotion, final products and manifest of every association asked for."""
    found = []
    for asn in plan.wanted:
        found.append(f"{plan.out}/{asn}/promotion.json")
        if plan.is_processed(asn):
            found += [*plan.final_products(asn), f"{plan.out}/{asn}/final/manifest.tsv"]
    return found


def candidate_files(plan: Plan) -> list[str]:
    """Return the exposures with the WCS of every candidate."""
    return [
        f"{plan.folder(asn, candidate)}/{root}_{kind}.fits"
        for asn in plan.wanted
        for candidate in plan.candidates(asn)
        if plan.may_apply(candidate)
        for kind in plan.kinds(asn)
        for root in plan.members(asn)
    ]


def pictures(plan: Plan) -> list[str]:
    """Return pictures of the default beside every other candidate, whichever wins."""
    return [
        f"{plan.out}/{asn}/pictures/default_vs_{candidate}.png"
        for asn in plan.wanted
        for candidate in plan.candidates(asn)
        if candidate != "default" and plan.may_apply(candidate)
    ]


def consistency(plan: Plan) -> list[str]:
    """Return the reports of every visit that has something to process: before, and after."""
    return [
        f"{plan.out}/visits/{visit}/consistency_{state}.json"
        for visit in sorted({plan.visit_of(asn) for asn in plan.processed})
        for state in ("inputs", "final")
    ]


def snapshots(plan: Plan) -> list[str]:
    """Return the snapshots of all associations that have something to process."""
    return [f"{plan.out}/{asn}/{asn}_snapshot.tar" for asn in plan.processed]


def fetches(plan: Plan) -> list[str]:
    """Return everything that services have for the associations asked for; what is there is not fetched."""
    if not plan.config["network"]:
        return [f"{plan.out}/missing/fetch"]
    absent: dict[str, list[str]] = {}
    found: list[str] = []
    for asn in plan.wanted:
        visit = plan.fetched.visit_of(asn)
        if not plan.is_complete(asn):
            absent.setdefault(visit, []).append(asn)
            continue
        found += [plan.given(f"{plan.fetched.folder}/references/{visit}.ecsv"), *plan.fetched.all_tables(asn)]
    names = ("_".join(sorted(asns)) for asns in absent.values())
    return sorted({*found, *(plan.given(f"{plan.fetched.folder}/exposures/{name}.ecsv") for name in names)})
