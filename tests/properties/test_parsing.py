"""Whatever the bytes are: a line has one fate, a packages file is packages or one kind of error."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.indicators.model import States
from engine.inputs.formats import parse_line
from engine.inputs.model import FATES, Reason, Request
from engine.inputs.reasons import explain
from engine.inputs.rules import inputs_of
from engine.packages import Packages, parse_packages
from engine.pipeline import Pipeline
from tests.properties.drawing import PACKAGES, QUICK, logs, requests

mutations = st.lists(
    st.tuples(st.integers(0, 2**16), st.integers(0, 3), st.binary(max_size=4)), max_size=6
)


def mutated(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Bytes with some of them put in, taken out or replaced."""
    for place, size, piece in changes:
        at = place % (len(data) + 1)
        data = data[:at] + piece + data[at + size :]
    return data


def fate_of(line: bytes) -> str:
    """The fate of one line, read by itself."""
    parsed = parse_line(line)
    if not isinstance(parsed, Request):
        return parsed
    return "counted" if inputs_of(parsed, PACKAGES) else "unmatched"


@QUICK
@given(st.binary(max_size=300))
@example(b"")
@example(b"[" * 100_000)
@example(b'{"msg":"handled request","ts":' + b"9" * 5000 + b"}")
@example(b'{"msg":"handled request","request":{},"ts":1e999}')
@example(b"\xed\xa0\x80")
def test_any_bytes_have_a_fate(line: bytes) -> None:
    """Nothing is raised, whatever is in a line; and its reason is found without raising too."""
    line = line.replace(b"\n", b"")
    assert fate_of(line) in FATES
    found = explain(line, PACKAGES)
    assert found.fate == fate_of(line)
    assert (found.reason is None) == (found.fate == "counted")


@QUICK
@given(requests(), mutations)
def test_a_damaged_line_has_a_fate_and_a_reason(line: bytes, changes: object) -> None:
    """A line of Caddy with some bytes changed: counting and explaining agree."""
    damaged = mutated(line[:-1], changes).replace(b"\n", b"")  # type: ignore[arg-type]
    found = explain(damaged, PACKAGES)
    assert found.fate == fate_of(damaged)
    assert found.reason is not Reason.OTHER


@QUICK
@given(logs(), mutations)
def test_blocks_and_single_lines_agree(log: bytes, changes: object) -> None:
    """Counting a block at once gives what counting its lines one by one gives."""
    block = mutated(log, changes)  # type: ignore[arg-type]
    block = block + b"\n" if not block.endswith(b"\n") else block
    pipeline = Pipeline(PACKAGES)
    at_once = pipeline.count(block)
    states: States = {}
    fates = dict.fromkeys(FATES, 0)
    for line in block.split(b"\n")[:-1]:
        tally = pipeline.count(line + b"\n")
        fates[fate_of(line)] += 1
        for key, state in tally.states.items():
            old = states.get(key, 0)
            states[key] = old | state if key[1] in (1004, 1005, 1006) else old + state
    assert at_once.states == states
    assert {fate: at_once.fates[fate] for fate in FATES} == fates
    assert at_once.lines == block.count(b"\n")
    valid = sum(at_once.fates[fate] for fate in ("counted", "unmatched"))
    assert (at_once.first_at is not None) == (valid > 0)


# ------------------------------------------------------------------- packages files

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(["//lib.box/viewer#bees", "//x:99999/", "http://[::1", "zim", "files", "app"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
entries = st.fixed_dictionaries(
    {}, optional={"kind": values, "title": values, "url": values, "ident": values}
)
documents = st.fixed_dictionaries(
    {}, optional={"packages": st.one_of(values, st.lists(entries, max_size=5)), "metadata": values}
)


@QUICK
@given(st.one_of(st.binary(max_size=400), st.text(max_size=400).map(str.encode)))
@example(b"&a [*a]")
@example(b"packages: !!python/object/apply:os.system [exit]")
@example(b"packages: !!binary '='")
@example(b"packages: !!timestamp '2024-99-99'")
@example(b"packages: [!!int x]")
@example(b"packages: [!!float x]")
@example(b"? [a]\n: b\npackages: []")
@example(b"{{a: b}: c, packages: []}")
@example(b"packages: {<<: 1}")
@example(b"%YAML 9.9\n---\npackages: []")
@example(b"\x00packages: []")
@example("packages: [\ud800]".encode("utf-8", "surrogatepass"))
@example(b"[" * 4000)
def test_any_file_is_packages_or_one_kind_of_error(content: bytes) -> None:
    """The parser raises ConfigError with a hint, and nothing else."""
    error = refusal(content)
    if error is not None:
        assert error.hint
        assert "\n" not in error.message


def refusal(content: bytes) -> ConfigError | None:
    """Why a packages file is refused; None when it is not."""
    try:
        parse_packages(content, "packages.yml")
    except ConfigError as error:
        return error
    return None


@QUICK
@given(documents)
def test_any_document_gives_entries_and_warnings(document: object) -> None:
    """Each entry is a package or a warning; a package has a title, a host and, as ZIM, a name."""
    text = yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "surrogatepass")
    with contextlib.suppress(ConfigError):
        found = parse_packages(text, "packages.yml")
        for entry in found.entries:
            assert entry.title.strip()
            assert entry.host
            assert entry.kind in {"zim", "files", "app"}
            assert bool(entry.name) == (entry.kind == "zim")
            assert found.site(entry.host) is not None
        assert Packages.from_json(found.to_json()).entries == found.entries


@pytest.mark.full
@settings(QUICK, max_examples=5000)
@given(st.binary(max_size=2000))
def test_any_file_at_full_size(content: bytes) -> None:
    """The same, with many more and longer files."""
    with contextlib.suppress(ConfigError):
        parse_packages(content, "packages.yml")


@pytest.mark.full
@settings(QUICK, max_examples=5000)
@given(logs(400), mutations)
def test_blocks_and_single_lines_agree_at_full_size(log: bytes, changes: object) -> None:
    """The same as above, over blocks that are cut into parts."""
    block = mutated(log, changes) + b"\n"  # type: ignore[arg-type]
    tally = Pipeline(PACKAGES).count(block)
    fates = [fate_of(line) for line in block.split(b"\n")[:-1]]
    assert {f: n for f, n in tally.fates.items() if n} == {f: fates.count(f) for f in set(fates)}
