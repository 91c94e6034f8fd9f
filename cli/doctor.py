"""`offspot-metrics doctor`: finds out why a dashboard is empty, and suggests what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from engine.doctor.model import Check, Examination, SeenLine
    from engine.settings import Config

MAX_DETAILS: Final = 8
FATE_COLUMNS: Final = 16
MEANING_COLUMNS: Final = 34
COLOURS: Final = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "bold red"}


def doctor(config: Config) -> None:
    """Check the setup, and explain why a dashboard is empty.

    Looks at the packages file, the log folder, Filebeat, the database and the clock, and explains
    the newest log lines: what each counts as, or why not. It changes nothing and may run next to
    serve. The exit code is 0 when everything is fine, else that of the first problem.
    """
    from cli import output
    from cli.messages import exit_code_of
    from engine.doctor import examine
    from engine.runtime.clock import now

    found = examine(config, config.lines, now())
    errors = [check.error for check in found.problems if check.error]
    code = exit_code_of(errors[0]) if errors else 0
    if config.findings_format == "json":
        output.print_json(_as_json(found, code))
    else:
        output.draw(*_checks(found), *_lines(found), *_reasons(found), *_summary(found))
    if code:
        raise typer.Exit(code)


def _as_json(found: Examination, code: int) -> dict[str, Any]:
    return {
        "sound": not found.problems,
        "exitCode": code,
        "verdict": found.verdict.as_json(),
        "checks": [
            {
                "name": check.name,
                "state": check.state.value,
                "text": check.text,
                "details": list(check.details),
                "hint": check.hint or None,
            }
            for check in found.checks
        ],
        "linesLookedAt": found.looked_at,
        "linesCounted": found.counted,
        "reasons": [
            {"fate": fate, "reason": reason, "detail": detail, "lines": lines}
            | _in_words(reason, detail)
            for (fate, reason, detail), lines in found.reasons.items()
        ],
        "hosts": {"log": found.log_hosts, "packages": list(found.packages_hosts)},
        "lines": [_line_as_json(line) for line in found.lines],
    }


def _in_words(reason: str, detail: str) -> dict[str, str | None]:
    from cli import meanings

    remedy = meanings.remedy_of(reason) or None
    return {"meaning": meanings.meaning_of(reason, detail), "remedy": remedy}


def _line_as_json(line: SeenLine) -> dict[str, Any]:
    from cli import meanings

    explained = line.explanation
    reason = explained.reason.value if explained.reason else None
    return {
        "file": line.file,
        "offset": line.offset,
        "line": line.text,
        "complete": line.ended,
        "fate": explained.fate,
        "reason": reason,
        "text": meanings.meaning_of(reason, explained.detail)
        if reason
        else meanings.inputs_in_words(explained.inputs),
    }


def _checks(found: Examination) -> Iterator[Any]:
    from cli import output

    table = output.new_table(heading=False)
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in found.checks:
        table.add_row(_state(check), check.name, _text(check.text))
        for detail in check.details:
            table.add_row("", "", _text(f"- {detail}"))
    yield table


def _state(check: Check) -> Any:
    from rich.text import Text

    return Text(check.state.value, style=COLOURS[check.state.value])


def _text(text: str) -> Any:
    """A text that is printed as it is, whatever is in it."""
    from rich.text import Text

    from engine.text import displayable

    return Text(displayable(text))


def _lines(found: Examination) -> Iterator[Any]:
    from cli import meanings, output

    if not found.lines:
        return
    yield ""
    yield _text(f"The newest {len(found.lines)} lines")
    console = output.make_console()
    table = output.new_table(heading=False)
    table.add_column(no_wrap=True, min_width=FATE_COLUMNS)
    widest = console.width - FATE_COLUMNS - MEANING_COLUMNS if console.is_terminal else None
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=widest)
    table.add_column(overflow="fold")
    for line in found.lines:
        explained = line.explanation
        reason = explained.reason.value if explained.reason else ""
        meaning = meanings.meaning_of(reason, explained.detail)
        meaning = meaning or meanings.inputs_in_words(explained.inputs)
        if explained.request is None:
            meaning += f" ({line.file}, byte {line.offset:,})"
        if not line.ended:
            meaning += " (not complete yet: no newline)"
        table.add_row(f"  {explained.fate}", _text(line.text), _text(meaning))
    yield table


def _reasons(found: Examination) -> Iterator[Any]:
    from cli import meanings, output

    if not found.reasons:
        return
    yield ""
    missed = sum(found.reasons.values())
    yield _text(f"Why {missed:,} of the newest {found.looked_at:,} lines do not count")
    table = output.new_table(heading=False)
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    by_reason: dict[str, dict[str, int]] = {}
    for (_, reason, detail), lines in found.reasons.items():
        by_reason.setdefault(reason, {})[detail] = lines
    for reason, details in by_reason.items():
        meaning = meanings.meaning_of(reason, _in_one(details))
        table.add_row(f"  {sum(details.values()):,}", _text(meaning))
        if remedy := meanings.remedy_of(reason):
            table.add_row("", _text(f"-> {remedy}"))
    yield table
    if any(reason == "host" for _, reason, _ in found.reasons):
        yield _hosts(found)


def _in_one(details: dict[str, int]) -> str:
    """What of the lines decided, the most frequent first."""
    shown = [
        f"{detail} ({n:,})" if len(details) > 1 else detail
        for detail, n in list(details.items())[:MAX_DETAILS]
    ]
    more = len(details) - MAX_DETAILS
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _hosts(found: Examination) -> Any:
    from cli import output

    table = output.new_table(heading=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    seen = ", ".join(f"{host} ({n:,})" for host, n in found.log_hosts.items())
    table.add_row("  Hosts in the log", _text(seen))
    table.add_row("  Hosts of the packages", _text(", ".join(found.packages_hosts) or "none"))
    return table


def _verdict(found: Examination) -> Iterator[Any]:
    """The verdict that the page and `/health` give too, with every reason for it."""
    from cli import output

    verdict = found.verdict.as_json()
    yield ""
    yield _text(f"Verdict: {verdict['state']}")
    if not verdict["reasons"]:
        return
    table = output.new_table(heading=False)
    table.add_column(overflow="fold")
    for reason in verdict["reasons"]:
        table.add_row(_text(f"  {reason['text']}"))
        table.add_row(_text(f"  -> {reason['remedy']}"))
    yield table


def _summary(found: Examination) -> Iterator[Any]:
    from cli import output

    yield from _verdict(found)
    yield ""
    wrong = [check for check in found.checks if check.state.value in ("problem", "warning")]
    if not wrong:
        yield _text("Everything is fine.")
        return
    yield _text(
        "Why the dashboard may be empty" if found.problems else "Counting works; worth a look"
    )
    table = output.new_table(heading=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for number, check in enumerate(sorted(wrong, key=lambda c: c.state.value), start=1):
        table.add_row(f"  {number}.", _text(f"{check.name}: {check.text}"))
        if check.hint:
            table.add_row("", _text(f"-> {check.hint}"))
    yield table
