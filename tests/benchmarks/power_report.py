"""Tables and plots of the injection study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from scipy.stats import beta

from benchmarks.power_verdicts import FAILED, PASSED, STOPPED, UNMEASURABLE, VERDICTS

COLOURS = {"measured": "C0", "documented": "C1", "drizzlepac": "C3", "drizzlepac_focus": "C4"}
UNITS = {"shift": "px", "rotation": "deg"}


def interval(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a probability: never covers it less often than `confidence`."""
    if not 0 <= hits <= trials or trials < 1:
        raise ValueError(f"{hits} of {trials} trials")
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, trials - hits + 1))
    high = 1.0 if hits == trials else float(beta.isf(tail, hits + 1, trials - hits))
    return low, high


def summary(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Count the trials: one row per case, kind, amount and verdict.

    `caught` are those not verified, of which `failed`, `unmeasurable` and `stopped` say how; `low` and `high` enclose
    the probability of being caught (95 %, Clopper-Pearson). At amount 0 that is the false-alarm rate.
    """
    groups: dict[tuple[str, str, float], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["case"], row["kind"], float(row["amount"])), []).append(row)
    out = []
    for (case, kind, amount), group in groups.items():
        for verdict in VERDICTS:
            states = [row[verdict] for row in group]
            count = {state: states.count(state) for state in (FAILED, UNMEASURABLE, STOPPED, PASSED)}
            caught, trials = len(states) - count[PASSED], len(states)
            low, high = interval(caught, trials)
            out.append((
                case, kind, amount, float(group[0]["edge"]), verdict, trials, caught, count[FAILED],
                count[UNMEASURABLE], count[STOPPED], caught / trials, low, high,
            ))  # fmt: skip
    names = (
        "case", "kind", "amount", "edge", "verdict", "trials", "caught", "failed", "unmeasurable", "stopped",
        "probability", "low", "high",
    )  # fmt: skip
    return Table(rows=out, names=names)


def _percent(row: Mapping[str, Any]) -> str:
    return f"{100 * row['probability']:.0f} ({100 * row['low']:.0f}-{100 * row['high']:.0f})"


def _lookup(table: Table) -> dict[tuple[str, str, float, str], Mapping[str, Any]]:
    return {(r["case"], r["kind"], float(r["amount"]), r["verdict"]): r for r in table}


def markdown(table: Table, cases: Sequence[str]) -> str:
    """False alarms, then the probability of being caught by verdict, kind and case, in per cent with its interval."""
    found, lines = _lookup(table), []
    present = [case for case in cases if case in set(table["case"])]
    lines += ["## False alarms: nothing displaced", ""]
    lines += ["| case | trials | " + " | ".join(VERDICTS.values()) + " |", "|---|---|" + "---|" * len(VERDICTS)]
    for case in present:
        cells = [found.get((case, "shift", 0.0, verdict)) for verdict in VERDICTS]
        if None not in cells:
            words = [
                f"{_percent(c)} %: {c['failed']} failed, {c['unmeasurable']} unmeasurable"
                + (f", {c['stopped']} stopped" if c["stopped"] else "")
                for c in cells
            ]
            lines.append(f"| {case} | {cells[0]['trials']} | " + " | ".join(words) + " |")
    for kind, unit in UNITS.items():
        amounts = sorted({float(r["amount"]) for r in table if r["kind"] == kind})
        if not [amount for amount in amounts if amount > 0]:
            continue
        for verdict, title in VERDICTS.items():
            lines += ["", f"## Not verified, per cent (95 % interval), by {kind} ({unit}): {title}", ""]
            lines += ["| case | " + " | ".join(f"{amount:g}" for amount in amounts) + " |"]
            lines += ["|---|" + "---|" * len(amounts)]
            for case in present:
                cells = [found.get((case, kind, amount, verdict)) for amount in amounts]
                if any(cells):
                    lines.append(f"| {case} | " + " | ".join(_percent(c) if c else "" for c in cells) + " |")
        if kind == "rotation":
            edges = {(r["case"], float(r["amount"])): float(r["edge"]) for r in table if r["kind"] == kind}
            lines += ["", "Displacement at the corners of the frame, px: " + _edges(edges, amounts)]
    return "\n".join(lines) + "\n"


def _edges(edges: Mapping[tuple[str, float], float], amounts: Sequence[float]) -> str:
    rows = {}
    for case, _ in edges:
        rows[case] = ", ".join(f"{edges[case, a]:.3f}" for a in amounts if (case, a) in edges)
    return "; ".join(
        f"{values} ({', '.join(c for c in rows if rows[c] == values)})" for values in sorted({*rows.values()})
    )


def accuracy(rows: Sequence[Mapping[str, Any]], cases: Sequence[str]) -> str:
    """Markdown: how far the measured shift of the displaced exposure is from the truth, and what error it claims.

    Shifts up to 2 px. `within 1, 2 sigma` of either axis should be 68 and 95 per cent.
    """
    lines = ["## The shift of the displaced exposure: measured minus true", ""]
    lines += ["| case | trials | measured | rms, px | claimed error, px (median) | within 1 sigma | within 2 sigma |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for case in cases:
        group = [r for r in rows if r["case"] == case and r["kind"] == "shift" and float(r["amount"]) <= 2.0]
        known = [r for r in group if r["off_x"] not in (None, "")]
        if not known:
            lines += [f"| {case} | {len(group)} | 0 | | | | |"] if group else []
            continue
        off = np.array([[float(r["off_x"]), float(r["off_y"])] for r in known])
        error = np.array([[float(r["err_x"]), float(r["err_y"])] for r in known])
        pull = np.abs(off / error)
        # The robust value: a few matches gone wrong would be all that an rms shows.
        spread = 1.4826 * float(np.median(np.abs(off)))
        lines.append(
            f"| {case} | {len(group)} | {len(known)} | {np.sqrt(np.mean(off**2)):.3f} (robust {spread:.3f}) | "
            f"{np.median(error):.3f} | {100 * np.mean(pull < 1):.0f} % | {100 * np.mean(pull < 2):.0f} % |"
        )
    return "\n".join(lines) + "\n"


def counts(
    table: Table, kind: str, verdict: str, amounts: Sequence[float] | None = None
) -> dict[str, dict[float, str]]:
    """Return "not verified/tried" by case and amount, for one verdict."""
    found: dict[str, dict[float, str]] = {}
    for row in table:
        amount = float(row["amount"])
        if row["kind"] == kind and row["verdict"] == verdict and (amounts is None or amount in amounts):
            found.setdefault(str(row["case"]), {})[amount] = f"{row['caught']}/{row['trials']}"
    return found


def record(table: Table, command: str) -> str:
    """YAML block `study` of detectors.yaml: what the calibrated verdict did, and how to see it again."""
    lines = [
        "study:  # visits not verified/visits tried, one exposure displaced or turned: promotion.policy `measured`"
    ]
    lines += [f"  command: {command}", f"  code: {table.meta['code']}"]
    for kind, unit in UNITS.items():
        lines.append(f"  {kind}_{unit}:")
        for case, row in counts(table, kind, "measured").items():
            lines.append(f"    {case}: {{{', '.join(f'{amount:g}: {text}' for amount, text in sorted(row.items()))}}}")
    return "\n".join(lines) + "\n"


#: Columns of the front page's table: verdict, and displacements in px.
FRONT_PAGE = {"measured": (0.0, 0.2, 0.5, 1.0), "documented": (0.0, 1.0), "drizzlepac": (0.0, 1.0)}


def front_page(table: Table, notes: Mapping[str, str]) -> str:
    """Markdown table for docs/verification.md: the three verdicts side by side, "not verified/tried"."""
    found = {verdict: counts(table, "shift", verdict, amounts) for verdict, amounts in FRONT_PAGE.items()}
    columns = [(verdict, amount) for verdict, amounts in FRONT_PAGE.items() for amount in amounts]
    lines = ["| detector, exposures: field | " + " | ".join(f"{v}, {a:g} px" for v, a in columns) + " |"]
    lines.append("|---|" + "---|" * len(columns))
    for case, row in found["measured"].items():
        if set(row) == set(FRONT_PAGE["measured"]):
            cells = " | ".join(found[verdict][case][amount] for verdict, amount in columns)
            lines.append(f"| {notes[case]} | {cells} |")
    return "\n".join(lines) + "\n"


def plot(table: Table, cases: Sequence[str], path: Path) -> None:
    """Draw the probability of being caught against displacement and rotation, a panel per case and kind."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    panels = [
        (case, kind) for kind in UNITS for case in cases if np.any((table["case"] == case) & (table["kind"] == kind))
    ]
    panels = [(c, k) for c, k in panels if k == "shift" or np.any((table["case"] == c) & (table["amount"] > 0))]
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4 * columns, 2.8 * rows), squeeze=False, sharey=True)
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    for axis, (case, kind) in zip(axes.flat, panels, strict=False):
        here = table[(table["case"] == case) & (table["kind"] == kind)]
        smallest = min([a for a in here["amount"] if a > 0], default=1.0)
        for step, verdict in enumerate(VERDICTS):
            line = here[here["verdict"] == verdict]
            line.sort("amount")
            p = np.asarray(line["probability"], dtype=float)
            # Nothing displaced is drawn left of the smallest amount; the verdicts are set apart to be seen.
            x = np.where(line["amount"] > 0, line["amount"], smallest / 2.5) * 1.03**step
            bars = np.clip([p - line["low"], line["high"] - p], 0, None)
            axis.errorbar(
                x, p, bars, color=COLOURS[verdict], marker="o", ms=3, lw=1.2, capsize=2, label=VERDICTS[verdict]
            )
        axis.set_xscale("log")
        axis.set_title(case, fontsize=9)
        axis.set_xlabel("displacement, px (leftmost: 0)" if kind == "shift" else "rotation, deg", fontsize=8)
        axis.set_ylim(-0.03, 1.03)
        axis.grid(alpha=0.3)
        axis.tick_params(labelsize=7)
    for axis in axes[:, 0]:
        axis.set_ylabel("not verified", fontsize=8)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=len(labels), fontsize=8)
    figure.tight_layout(rect=(0, 0.6 / (2.8 * rows), 1, 1))
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
