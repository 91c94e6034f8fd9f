"""The packages file: texts, hosts and addresses, and the reading of large files."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.hosts import normal_host
from engine.packages import Package, Packages, parse_packages, read_packages
from engine.packages.document import _Loader as Loader
from engine.packages.document import load_document
from engine.text import clean_text, cut_text
from tests.support.measured import measured

BLANKS = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2003\u2028\u2029\u202f\u3000"
HARMLESS = "\u200e\u200f\u061c\u200c\u200d\xad\u200b"


def only(entry: str, metadata: str = "{}") -> Packages:
    return parse_packages(f"metadata: {metadata}\npackages:\n  - {entry}\n".encode(), "here.yml")


def files(url: str, fqdn: str = "") -> Packages:
    entry = {"kind": "files", "title": "Games", "url": url}
    return only(json.dumps(entry), json.dumps({"fqdn": fqdn}))


# --- texts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", BLANKS)
def test_white_space_at_the_ends_goes_and_inside_becomes_one_blank(blank: str) -> None:
    """Every kind of white space, in whatever number, in every text of the file."""
    many = blank * 3
    text = {"kind": "app", "title": "Shared files", "url": "//share.box/", "ident": "x y"}
    wide = {key: many + value.replace(" ", f" {many}") + many for key, value in text.items()}
    document = {"metadata": {"name": f"{many}My{many}school", "fqdn": f"my.box{many}"}}
    found = parse_packages(json.dumps({**document, "packages": [wide]}).encode(), "here.yml")
    assert found.entries == (Package("app", "Shared files", "share.box", ident="x y"),)
    assert (found.name, found.fqdn, found.warnings) == ("My school", "my.box", ())


@pytest.mark.parametrize(
    "entry",
    [
        "{kind: files, title: Games, url: '//games.box/ '}",
        "{kind: files, title: ' Games', url: '\t//games.box/'}",
        "kind: files\n    title: >\n      Games\n    url: |\n      //games.box/\n",
        "kind: |\n      files\n    title: |+\n      Games\n\n    url: >-\n      //games.box/\n",
    ],
)
def test_blocks_and_quotes_are_ways_to_write_one_text(entry: str) -> None:
    """`url: |` with the url on the next line is that url."""
    assert only(entry).entries == (Package("files", "Games", "games.box"),)


@pytest.mark.parametrize("mark", HARMLESS)
def test_marks_of_direction_and_joiners_stay(mark: str) -> None:
    """Arabic, Persian and Hebrew titles need them."""
    assert clean_text(f"a{mark}b{mark}") == f"a{mark}b{mark}"


def test_surrogate_pairs_are_joined_and_halves_replaced() -> None:
    r"""`"\ud83d\ude00 Bees"` is how JSON writes 😀; half of it is no character."""
    assert only(r'{kind: files, title: "\ud83d\ude00 Bees", url: "//g/"}').titles == ("😀 Bees",)
    assert clean_text("\ud83d Bees \ude00\ud83d") == "\ufffd Bees \ufffd\ufffd"


@given(st.text(st.characters() | st.characters(categories=["Cs", "Cc", "Cf", "Z"])))
def test_a_clean_text_can_be_stored_and_stays_as_it_is(text: str) -> None:
    """Whatever a text holds: no controls, no blanks at the ends or two in a row, and UTF-8."""
    clean = clean_text(text)
    clean.encode()
    assert clean == clean_text(clean) == clean.strip()
    assert not set(clean) & set(map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x202E]))
    assert "  " not in clean


@pytest.mark.parametrize("title", ["\u200b", "\u200e \u200f", "\u2060\ufe0f", "\u3164", "\u2800"])
def test_a_title_that_nobody_can_see_is_none(title: str) -> None:
    """An entry without a visible title is left out, and named."""
    found = files("//g.box/")
    assert found.titles == ("Games",)
    entry = json.dumps({"kind": "files", "title": title, "url": "//g.box/"})
    assert only(entry).entries == ()
    assert "entry 1 is ignored: it has no title" in only(entry).warnings[0]


def test_a_long_title_is_cut_and_said() -> None:
    """300 characters are kept as they are; of more, 299 and an ellipsis, with a warning."""
    whole, long = "W" * 300, "L" * 1_000_000
    entries = [{"kind": "files", "title": title, "url": "//g.box/"} for title in (whole, long)]
    found = parse_packages(json.dumps({"packages": entries}).encode(), "here.yml")
    assert found.titles == (whole, "L" * 299 + "…")
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith("packages file: entry 2 (LLL")
    assert found.warnings[0].endswith("its title is cut to 300 characters")
    assert len(found.warnings[0]) < 300


@pytest.mark.parametrize(
    "cluster",
    [
        "e\u0301\u0323",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f1fa\U0001f1ec",
        "\U0001f44d\U0001f3fd",
        "\u2764\ufe0f",
        "\u0e01\u0e33",
        "\u0915\u094d",
        "\u1100\u1161\u11a8",
        "\U0001f3f4\U000e0067\U000e0062\U000e007f",
    ],
    ids=ascii,
)
def test_a_title_is_not_cut_inside_what_is_one_to_the_eye(cluster: str) -> None:
    """Accents, families, flags, skin tones, syllables: all of it is there before the ellipsis, or
    nothing of it; a heap of marks is cut where it must be.
    """
    for before in range(280, 301):
        cut = cut_text("x" * before + cluster + "y" * 30)
        assert len(cut) <= 300
        rest = cut.rstrip("…").lstrip("x").rstrip("y")
        assert rest in ("", cluster)
        assert len(cut) > 300 - len(cluster)
    assert cut_text("\u0301" * 400) == "\u0301" * 299 + "…"
    assert len(cut_text("\U0001f1fa\U0001f1ec" * 200)) in (299, 300)


def test_a_url_without_end_is_said() -> None:
    """Nothing that is longer than any url is looked at to its end."""
    found = files("//g.box/" + "x" * 1_000_000)
    assert found.entries == ()
    assert found.warnings[0].endswith("its url has more than 10,000 characters")


# --- hosts -------------------------------------------------------------------------------------

FILLED_IN = {
    "//browse.{fqdn}/": "browse.my.hotspot",
    "//{fqdn}/": "my.hotspot",
    "//{fqdn}:8080/": "my.hotspot:8080",
    "//{browse-fqdn}/": "browse.my.hotspot",
    "{edu-pi-fqdn}/": "edu-pi.my.hotspot",
    "http://{wiki2-fqdn}/": "wiki2.my.hotspot",
    "//a.{b-fqdn}/": "a.b.my.hotspot",
}


@pytest.mark.parametrize("url", FILLED_IN)
def test_placeholders_are_filled_in_from_the_hotspots_name(url: str) -> None:
    """As the dashboard does it, for the same file: `{x-fqdn}` is x, a dot, and the name."""
    found = files(url, "my.hotspot")
    assert [entry.host for entry in found.entries] == [FILLED_IN[url]]
    assert found.warnings == ()


def test_a_placeholder_without_a_name_is_said() -> None:
    """The entry is named, with what is missing."""
    found = files("//{browse-fqdn}/")
    assert found.entries == ()
    assert "entry 1 (Games) is ignored" in found.warnings[0]
    assert "fqdn in metadata" in found.warnings[0]


IMPOSSIBLE = [
    *("//browse.{domain}/", "//{}/", "//a..b/", "//.box/", "//-a.box/", "//a-.box/", "//a,b/"),
    *(f"//{'a' * 64}.box/", f"//{'a.' * 127}box/", "//g.box:65536/", "//g.box:/", "//a:b/"),
    *("//1.2.3.256/", "//1.2.3/", "//1984/", "//[::g]/", "//[]/", "//*.box/", "//a%20b.box/"),
    *("//é\u202e.box/", "//\ufffd.box/", "//a|b/", "//a&b/"),
]


@pytest.mark.parametrize("url", IMPOSSIBLE)
def test_a_host_that_cannot_exist_is_a_warning(url: str) -> None:
    """It names the entry, and the others count."""
    found = files(url, "my.hotspot")
    assert found.entries == ()
    assert len(found.warnings) == 1
    assert "entry 1 (Games) is ignored: its url" in found.warnings[0]


@pytest.mark.parametrize("url", ["games.box", "games", "games.box?a=1", "games.box#a"])
def test_a_host_without_slashes_is_no_url(url: str) -> None:
    """It may be the name of a file next to the page; `games.box/` is what people type."""
    found = files(url, "my.hotspot")
    assert found.entries == ()
    assert "is not of the form //host/..." in found.warnings[0]
    assert files("games.box/", "my.hotspot").entries


POSSIBLE = {
    "//_x/": "_x",
    "//my_box/": "my_box",
    "//a--b.box./": "a--b.box",
    "//10.0.0.1:8080/": "10.0.0.1:8080",
    "//[FE80::1]:80/": "[fe80::1]:80",
    "//1984.box/": "1984.box",
    "//%C3%A9cole.box/": "xn--cole-9oa.box",
    "//xn--cole-9oa.box/": "xn--cole-9oa.box",
    "//ÉCOLE。box:80/": "xn--cole-9oa.box:80",
    f"//{'a' * 63}.box/": "a" * 63 + ".box",
}


@pytest.mark.parametrize("url", POSSIBLE)
def test_a_host_that_can_exist_is_taken(url: str) -> None:
    """Also names that no registry would sell: nobody registers names of a hotspot."""
    found = files(url)
    assert [entry.host for entry in found.entries] == [POSSIBLE[url]]


def test_a_name_of_the_hotspot_that_cannot_exist_is_said() -> None:
    """`metadata.fqdn` that is no name is left out, with a warning, and so are urls that need it."""
    found = files("//{fqdn}/", "my hotspot!")
    assert (found.fqdn, found.entries) == ("", ())
    assert "metadata.fqdn 'my hotspot!' is ignored" in found.warnings[0]
    assert files("//{fqdn}/", "École.Box:8080").fqdn == "xn--cole-9oa.box"


NAMES = ["école.box", "ÉCOLE.BOX", "e\u0301cole.box", "xn--cole-9oa.box", "XN--cole-9OA.box."]


@pytest.mark.parametrize("name", NAMES)
def test_one_host_in_unicode_and_encoded(name: str) -> None:
    """Whatever form the file has, every form in a log is that host, with or without a port."""
    found = files(f"//{name}/")
    for other in NAMES:
        assert found.site(other) is not None
        assert found.site(f"{other}:80") is not None
    assert found.site("ecole.box") is None


@given(st.text(max_size=400))
def test_no_host_of_a_log_is_too_odd_to_compare(host: str) -> None:
    """Compared twice it is the same, and nothing is raised."""
    assert normal_host(normal_host(host)).isascii() or not host.isascii()
    assert files("//g.box/").site(host) is None or "g" in host.lower()


def test_strange_hosts_take_no_time() -> None:
    """A visitor may send a hundred thousand hosts in Unicode, or one of a megabyte."""
    found = files("//é.box/")
    began = time.perf_counter()
    for number in range(20_000):
        assert found.site(f"ü{number}.box") is None
    assert found.site("é" * 1_000_000) is None
    took = time.perf_counter() - began
    measured(seconds=took)
    assert took < 10


def test_packages_kept_by_an_older_version_are_read() -> None:
    """Their titles are trimmed and their hosts encoded, as those of the file would be now."""
    old = json.dumps({"name": "", "fqdn": "", "entries": [["zim", "Bees ", "é.box", "bees", ""]]})
    found = Packages.from_json(old)
    assert found.entries == (Package("zim", "Bees", "xn--9ca.box", "bees"),)
    assert Packages.from_json(found.to_json()) == found


# --- YAML --------------------------------------------------------------------------------------

PIECES = [
    *("a", "b: ", "- ", "? ", ": ", "\n", "\n  ", "\n    ", "\r\n", "\r", "#c", " #c", " ", "  "),
    *("'x'", '"y\\n"', "[", "]", "{", "}", ",", "|\n  t\n", ">\n  f\n  g\n", "&a ", "*a", "!t "),
    *("---\n", "...\n", "\x85", "\u2028", "\ufeff", "é", "😀", "a b  c", "x:y", "http://a", "?q"),
    *("-x", "\t", "%TAG\n", "<<: ", "\t#"),
]


def events(loader: type[yaml.SafeLoader], text: bytes) -> Iterator[tuple[object, ...]]:
    """What a loader reads, with the place of each event; at the end its error, if any."""
    try:
        for event in yaml.parse(text, Loader=loader):
            value = getattr(event, "value", None), getattr(event, "anchor", None)
            places: Any = (event.start_mark, event.end_mark)
            yield type(event), value, [(mark.index, mark.line, mark.column) for mark in places]
    except yaml.YAMLError as error:
        yield (str(error),)


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_reading_a_line_at_once_reads_what_pyyaml_reads(text: str) -> None:
    """Same events at the same places, same errors, whatever the text."""
    content = text.encode()
    assert list(events(Loader, content)) == list(events(yaml.SafeLoader, content))


texts = st.text(max_size=9)
documents = st.recursive(
    texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20
)


@given(documents)
def test_what_a_library_writes_is_read_back(document: object) -> None:
    """With the aliases that it makes of what occurs twice, and every quote and fold."""
    written = yaml.safe_dump([document, document], allow_unicode=True)
    assert load_document(written.encode()) == yaml.safe_load(written)


def entry(number: int, more: str) -> str:
    return f"- {{kind: zim, title: T{number}, url: //lib/viewer#t{number}, {more}}}\n"


LARGE = {
    "icons": "".join(entry(number, f"icon: {'Qk' * 4000}") for number in range(1000)),
    "descriptions": "".join(
        entry(number, f"description: {'many words ' * 140}") for number in range(5000)
    ),
    "words": f"- {'a ' * 4_000_000}\n",
    "comments": "#\n" * 4_000_000,
    "blank lines": " \n" * 4_000_000,
}


@pytest.mark.parametrize("name", LARGE)
def test_eight_mebibytes_are_read_in_seconds(name: str) -> None:
    """Some ten times as fast as PyYAML alone; the slowest of these took it 14 s."""
    text = f"packages:\n{LARGE[name]}".encode()[: 8 * 1024 * 1024]
    began = time.process_time()
    found = parse_packages(text, "here.yml")
    took = time.process_time() - began
    measured(file=name, bytes=len(text), seconds=took)
    assert took < 5
    assert len(found.entries) >= {"icons": 1000, "descriptions": 4900}.get(name, 0)


def test_a_file_of_eight_mebibytes_is_read_and_a_larger_one_is_refused(tmp_path: Path) -> None:
    """To the byte: 8,388,608 are read."""
    path = tmp_path / "packages.yml"
    path.write_bytes(b"packages: []\n#" + b"x" * (8_388_608 - 14))
    assert read_packages(path).entries == ()
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(ConfigError, match="is larger than 8 MiB"):
        read_packages(path)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    """Nobody may ever write into it: it is not waited for."""
    path = tmp_path / "packages.yml"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_packages, path)
        try:
            assert isinstance(reading.exception(timeout=10), ConfigError)
        finally:
            os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))  # lets one go that waits


def test_titles_and_libraries_of_a_file() -> None:
    """Each title once, in the order of the file; of the libraries of a host that with the longest
    prefix is asked first, as `/content/content/b` is `b` below `/content`.
    """
    entries = [
        {"kind": "zim", "title": "B", "url": "//lib.box/content/b"},
        {"kind": "zim", "title": "A", "url": "//lib.box/content/viewer#b"},
        {"kind": "files", "title": "B", "url": "//b.box/"},
    ]
    packages = parse_packages(json.dumps({"packages": entries}).encode(), "here.yml")
    assert packages.titles == ("B", "A")
    site = packages.site("lib.box")
    assert site
    assert [library.prefix for library in site.libraries] == ["/content", ""]


@pytest.mark.parametrize("word", ["yes", "no", "true", "1984", "0x10", "2026-06-14", "1e3", "=x"])
def test_a_title_is_the_text_that_was_written(word: str) -> None:
    """Also where YAML would make a number, a date or a truth of it."""
    assert only(f"{{kind: files, title: {word}, url: //games.box/}}").titles == (word,)


def test_aliases_cost_what_they_stand_for() -> None:
    """Ten thousand texts six times are too much for one file, and a depth of twenty is the most,
    however it is come by.
    """
    texts = ", ".join(["x"] * 10_000)
    head = f"packages: []\na: &a [{texts}]\n"
    assert parse_packages(f"{head}b: [*a, *a, *a]\n".encode(), "p.yml").entries == ()
    with pytest.raises(ConfigError, match="too much for one file"):
        parse_packages(f"{head}b: [*a, *a, *a, *a, *a]\n".encode(), "p.yml")
    deep = f"packages: []\na: &a {'[' * 12}x{']' * 12}\n"
    assert parse_packages(f"{deep}b: [*a]\n".encode(), "p.yml").entries == ()
    with pytest.raises(ConfigError, match="more than 20 levels deep"):
        parse_packages(f"{deep}b: {'[' * 8}*a{']' * 8}\n".encode(), "p.yml")
