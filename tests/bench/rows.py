# SPDX-License-Identifier: Apache-2.0
"""A row of the table: what is compared, what is wanted of it, and what came out."""
from dataclasses import dataclass, field
from statistics import median


# Cores that others used on average, from which on the table marks a row.
DISTURBED = 0.2


@dataclass
class Row:
    """What is to hold is the ratio, or Larder's own figure where there is nothing to compare it with. `less` says which
    direction is better; rows that are not quick are left out by --quick."""
    name: str
    title: str
    other: str = ""
    unit: str = ""
    goal: str = ""
    floor: float = None
    stretch: float = None
    less: bool = True
    quick: bool = True
    foreign_cores: float = 0.0
    larder: list = field(default_factory=list)
    others: list = field(default_factory=list)

    def add(self, larder, other=None):
        """One round."""
        self.larder.append(larder)
        if other is not None:
            self.others.append(other)

    @property
    def measured(self):
        return bool(self.larder)

    @property
    def ratio(self):
        """The median of the rounds' own ratios: what disturbs a round disturbs both sides of it."""
        if not self.others:
            return None
        return median(ours / theirs if theirs else float("inf") for ours, theirs in zip(self.larder, self.others))

    @property
    def judged(self):
        """What the goal is held against."""
        return self.ratio if self.others else median(self.larder)

    def reaches(self, limit):
        return self.judged <= limit if self.less else self.judged >= limit

    @property
    def verdict(self):
        if self.floor is None:
            return ""
        if not self.reaches(self.floor):
            return "missed"
        return "stretch" if self.stretch is not None and self.reaches(self.stretch) else "holds"

    def as_json(self):
        return {"name": self.name, "title": self.title, "other": self.other, "unit": self.unit, "goal": self.goal,
                "floor": self.floor, "stretch": self.stretch, "better": "less" if self.less else "more",
                "larder": median(self.larder), "other_value": median(self.others) if self.others else None,
                "ratio": self.ratio, "verdict": self.verdict, "foreign_cores": self.foreign_cores, "larder_rounds": self.larder,
                "other_rounds": self.others}


def number(value):
    """Three digits that count."""
    if value is None:
        return ""
    if value == 0 or abs(value) >= 1000:
        return f"{value:.0f}"
    if abs(value) < 0.01:
        return f"{value:.5f}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.3g}"


def limit_of(row, value):
    return f"{'≤' if row.less else '≥'} {number(value)}" if value is not None else ""


def cells(row):
    return (row.name, f"{row.title}, {row.unit}", number(median(row.larder)), row.other,
            number(median(row.others)) if row.others else "", number(row.ratio), row.goal, limit_of(row, row.floor),
            limit_of(row, row.stretch), row.verdict + (" ~" if row.foreign_cores > DISTURBED else ""))


HEADS = ("row", "what", "Larder", "against", "has", "ratio", "goal", "floor", "stretch", "holds?")


def table(rows):
    """The rows that were measured, in columns."""
    lines = [HEADS, *(cells(row) for row in rows if row.measured)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def result(row):
    """Both figures and their ratio, as one reads them."""
    ours = f"{number(median(row.larder))} {row.unit}"
    return f"{number(row.ratio)} ({ours}; {number(median(row.others))})" if row.others else ours


def markdown(rows):
    """The rows that were measured as docs/performance.md has them."""
    lines = ["| | what | goal | result |", "|---|---|---|---|"]
    for row in rows:
        goal = limit_of(row, row.floor) + (f" ({limit_of(row, row.stretch)})" if row.stretch is not None else "")
        verdict = {"missed": ", **missed**", "": ""}.get(row.verdict, f", {row.verdict}")
        against = f" against {row.other}" if row.other else ""
        lines.append(f"| {row.goal} | {row.title}{against} | {goal} | {result(row)}{verdict} |")
    return "\n".join(lines) + "\n"
