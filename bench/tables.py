"""A result file as text: for the terminal and for docs/performance.md.

takes   the result file's contents
gives   Markdown
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_UNITS = {
    "ns": ("ns, wall", "{:,.1f}"),
    "cpu_ns": ("ns, processor", "{:,.1f}"),
    "rss_mb": ("peak MB", "{:,.0f}"),
    "trades_per_s": ("trades/s", "{:,.0f}"),
    "frames_per_s": ("frames/s", "{:,.0f}"),
    "p50_ms": ("p50 ms", "{:,.1f}"),
    "p99_ms": ("p99 ms", "{:,.1f}"),
    "exchange_p50_ms": ("p50 ms from the exchange", "{:,.1f}"),
    "exchange_p99_ms": ("p99 ms from the exchange", "{:,.1f}"),
    "seconds": ("seconds", "{:,.2f}"),
    "whole_s": ("whole process, s", "{:,.2f}"),
    "lost": ("lost", "{:,.0f}"),
    "cores": ("cores used", "{:,.2f}"),
    "first_s": ("first, s", "{:,.1f}"),
}


def written(result: dict[str, Any]) -> str:
    """Everything between the marks of docs/performance.md."""
    about = result["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        f"{about['cores']} cores of {about['cpu']}, {about['memory_gib']} GiB, {about['system']}, "
        f"{about['python']}; {versions}.",
        "",
    ]
    for topic in result["topics"].values():
        lines += [f"### {topic['title']}", "", *_cases(topic), "", *_goals(topic)]
        lines += [f"{note}\n" for note in topic["notes"]]
        lines += [
            f"`{topic['command']}`, {topic['rounds']} rounds of {topic['size']:,}, "
            f"{topic['date']}, commit {topic['commit']}, load {topic['load'][0]} to "
            f"{topic['load'][1]}.",
            "",
        ]
    return "\n".join(lines)


def _cases(topic: dict[str, Any]) -> list[str]:
    units = [topic["unit"], *topic["also"]]
    heads = [_UNITS[unit][0] for unit in units]
    lines = [
        f"| | {' | '.join(f'{head} | smallest to largest' for head in heads[:1])}"
        + "".join(f" | {head}" for head in heads[1:]) + " |",
        "| --- |" + " ---: |" * (len(heads) + 1),
    ]  # fmt: skip
    for case, found in topic["cases"].items():
        if "not_installed" in found:
            lines.append(f"| {case} | not installed |" + " |" * len(heads))
            continue
        shown = [_text(unit, found["median"].get(unit)) for unit in units]
        low, high = (_text(units[0], value) for value in found["spread"][units[0]])
        lines.append(f"| {case} | {shown[0]} | {low} to {high} |"
                     + "".join(f" {value} |" for value in shown[1:]))  # fmt: skip
    return lines


def _goals(topic: dict[str, Any]) -> list[str]:
    if not topic["goals"]:
        return []
    lines = ["| goal | found | reached |", "| --- | ---: | --- |"]
    words = {True: "yes", False: "**no**", None: "not measured"}
    for goal in topic["goals"]:
        if "to" in goal:
            want = f"{goal['of']}: >= {goal['at_least']:g} x {goal['to']}"
            found = "" if goal["found"] is None else f"{goal['found']:,.1f} x"
        else:
            sign, limit = (
                (">=", goal["at_least"])
                if goal["at_least"] is not None
                else ("<=", goal["at_most"])
            )
            want = f"{goal['of']}: {_UNITS[goal['number']][0]} {sign} {limit:,g}"
            found = _text(goal["number"], goal["found"])
        lines.append(f"| {want} | {found} | {words[goal['reached']]} |")
    return [*lines, ""]


def _text(unit: str, value: float | None) -> str:
    return "" if value is None else _UNITS[unit][1].format(value)


def put_into(document: Path, text: str) -> None:
    """Replace what is between the marks."""
    whole = document.read_text("utf-8")
    before, _, rest = whole.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{document.name} has lost its marks {BEGIN} and {END}"
    document.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", "utf-8")
