"""What a test has measured, printed so that docs/reliability.md can be made of it."""

MARK = "measured: "


def measured(text: str = "", **figures: object) -> None:
    """Print a sentence, or figures by name, for `python -m tests.faults`."""
    parts = [text] if text else []
    for name, value in figures.items():
        shown = f"{value:,.1f}" if isinstance(value, float) else value
        shown = f"{shown:,}" if isinstance(shown, int) else shown
        parts.append(f"{name.replace('_', ' ')} {shown}")
    print(MARK + ", ".join(parts))
