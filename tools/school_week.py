"""A school's hotspot and a week of its use, made up: what is offered, who comes, what they click.

Out come packages, the pages of their ZIM files, and visits. A visit is a generator that yields
requests and is sent their answers, as a browser decides on its next request by what came back.
Chance comes from one seeded generator, so that the same week can be made again. No I/O here.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from urllib.parse import quote

from lab.browser import Answer, Header
from lab.zims import png

SITE_NAME = "Lycée Amani"
FQDN = "amani.hotspot"
BROWSE = f"browse.{FQDN}"
"""Answers as kiwix-serve 3.4 and later do: /content/NAME/..."""
KIWIX = f"kiwix.{FQDN}"
"""Answers as Debian's kiwix-serve 3.3 does: /NAME/..."""


@dataclass(frozen=True)
class Package:
    """One entry of the packages file, with what the recorder needs to serve and visit it."""

    kind: str
    title: str
    host: str
    weight: int
    """How often it is chosen, relative to the others."""
    zim: str = ""
    """File name of the ZIM without its extension."""
    visit_name: str = ""
    """Name used in URLs where it is not the file's own."""
    language: str = "eng"
    ident: str = ""
    topics: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"//{self.host}/viewer#{self.zim}" if self.zim else f"//{self.host}/"

    @property
    def name(self) -> str:
        return self.visit_name or self.zim


EDUPI_IDENT = "edupi.offspot.kiwix.org"
FILE_MANAGER_IDENT = "file-manager.offspot.kiwix.org"

PACKAGES = (
    Package(
        "zim",
        "Wikipedia for Schools",
        BROWSE,
        24,
        "wikipedia_en_schools",
        topics=(
            "Photosynthesis",
            "Volcano",
            "Roman Empire",
            "Lake Victoria",
            "Solar System",
            "DNA",
            "Kwame Nkrumah",
            "Water cycle",
            "Elephant",
            "Democracy",
        ),
    ),
    Package(
        "zim",
        "Wikipédia",
        BROWSE,
        14,
        "wikipedia_fr_lycee",
        language="fra",
        topics=(
            "Éléphant",
            "Révolution française",
            "Léopold Sédar Senghor",
            "Énergie",
            "Forêt",
            "Théorème de Thalès",
            "Océan",
        ),
    ),
    Package(
        "zim",
        "Wiktionary",
        BROWSE,
        9,
        "wiktionary_en_simple",
        topics=("water", "school", "to learn", "river", "honest", "bread"),
    ),
    Package(
        "zim",
        "Project Gutenberg",
        BROWSE,
        6,
        "gutenberg_en_fiction",
        topics=("Treasure Island", "Jane Eyre", "The Time Machine", "Silas Marner"),
    ),
    Package(
        "zim",
        "Khan Academy Maths",
        BROWSE,
        13,
        "khan-academy_en_maths_2026-05",
        visit_name="khan-academy_en_maths",
        topics=("Fractions", "Linear equations", "Pythagoras", "Percentages", "Angles", "Area"),
    ),
    Package(
        "zim",
        "ويكيبيديا الطبية",
        BROWSE,
        4,
        "wikipedia_ar_medicine",
        language="ara",
        topics=("ملاريا", "ماء", "لقاح"),
    ),
    Package(
        "zim",
        "WikiMed",
        BROWSE,
        7,
        "mdwiki_en_all",
        topics=("Malaria", "Cholera", "First aid", "Vaccination", "Dehydration"),
    ),
    Package("zim", "WikiFundi", BROWSE, 2, "wikifundi_en_2025-11", topics=("Village", "Market")),
    Package(
        "zim",
        "WikiFundi",
        BROWSE,
        2,
        "wikifundi_fr_2025-11",
        language="fra",
        topics=("Quartier", "Marché"),
    ),
    Package(
        "zim",
        "Vikidia",
        KIWIX,
        8,
        "vikidia_fr_all",
        language="fra",
        topics=("Lion", "Planète", "Château fort", "Abeille"),
    ),
    Package(
        "zim",
        "Gardening Questions",
        KIWIX,
        3,
        "gardening_en_questions",
        topics=("Compost", "Tomatoes", "Soil"),
    ),
    Package("files", "School Library", f"library.{FQDN}", 7),
    Package("files", "Exam Papers", f"exams.{FQDN}", 8),
    Package("files", "Radio Lessons", f"radio.{FQDN}", 4),
    Package("app", "Maps of Africa", f"maps.{FQDN}", 6),
    Package("app", "Kolibri", f"kolibri.{FQDN}", 7),
    Package("app", "EduPi", f"edupi.{FQDN}", 3, ident=EDUPI_IDENT),
    Package("app", "Shared Files", f"share.{FQDN}", 4, ident=FILE_MANAGER_IDENT),
)

# --- when ----------------------------------------------------------------------------------------

FIRST_DAY = datetime(2026, 6, 4, tzinfo=UTC)  # a Thursday: the week ends with busy days
DAYS = 7
POWER_CUT = (datetime(2026, 6, 9, 10, 17, tzinfo=UTC), datetime(2026, 6, 9, 13, 41, tzinfo=UTC))

SWITCHED_ON: Mapping[int, tuple[time, time]] = {
    **dict.fromkeys(range(5), (time(7, 30), time(17, 30))),
    5: (time(8, 30), time(12, 30)),
    6: (time(14, 30), time(17, 0)),
}
"""By weekday (0 is Monday): when somebody switches the hotspot on, and off."""

_SCHOOL_DAY = {7: 20, 8: 26, 9: 33, 10: 34, 11: 25, 12: 9, 13: 14, 14: 23, 15: 20, 16: 12, 17: 7}
_SATURDAY = {9: 6, 10: 9, 11: 5}
_SUNDAY = {15: 6, 16: 4}
PLAN: Mapping[int, Mapping[int, int]] = {
    **dict.fromkeys(range(5), _SCHOOL_DAY),
    5: _SATURDAY,
    6: _SUNDAY,
}
"""Visits by weekday and hour; those that fall into minutes with the power off do not happen."""


def hours_of_power() -> Iterator[tuple[datetime, datetime]]:
    """From when to when the hotspot is on, oldest first."""
    for day in range(DAYS):
        date = FIRST_DAY + timedelta(days=day)
        on, off = (datetime.combine(date, at, tzinfo=UTC) for at in SWITCHED_ON[date.weekday()])
        if on < POWER_CUT[0] < off:
            yield on, POWER_CUT[0]
            on = POWER_CUT[1]
        yield on, off


_POWER = tuple(hours_of_power())


def power_is_on(moment: datetime) -> bool:
    return any(on <= moment < off for on, off in _POWER)


def stays(chance: random.Random) -> Iterator[tuple[datetime, int]]:
    """Since when, and for how many minutes, a device is left connected; somebody always is."""
    for on, off in _POWER:
        moment = on
        while moment < off:
            minutes = chance.randrange(15, 90)
            yield moment + timedelta(seconds=chance.randrange(60)), minutes
            moment += timedelta(minutes=minutes)


def starts(chance: random.Random) -> Iterator[datetime]:
    """The moments at which visits begin, oldest first."""
    for day in range(DAYS):
        date = FIRST_DAY + timedelta(days=day)
        for hour, visits in PLAN[date.weekday()].items():
            seconds = sorted(chance.randrange(3600) for _ in range(visits))
            for second in seconds:
                moment = date + timedelta(hours=hour, seconds=second)
                if power_is_on(moment):
                    yield moment


# --- what is in the ZIM files ---------------------------------------------------------------------

_TEXT = """
children look at the river and draw what they see every morning before the lesson begins
while teachers collect questions about plants stars numbers old towns and the people there
"""
_WORDS = _TEXT.split()


def _paragraph(chance: random.Random, words: int) -> str:
    text = " ".join(chance.choice(_WORDS) for _ in range(words))
    return f"<p>{text.capitalize()}.</p>"


def page_name(topic: str) -> str:
    return topic.replace(" ", "_") + ".html"


def pages(package: Package, chance: random.Random) -> dict[str, str | bytes]:
    """The files of a package's ZIM: a welcome page, a page per topic, and what they load."""
    links = "".join(f'<li><a href="{page_name(t)}">{t}</a></li>' for t in package.topics)
    head = '<link rel="stylesheet" href="-/style.css"><script src="-/page.js"></script>'

    def page(title: str, body: str) -> str:
        return (
            f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{title}</title>{head}</head>'
            f'<body><img src="-/logo.png" alt=""><h1>{title}</h1>{body}</body></html>'
        )

    made: dict[str, str | bytes] = {
        "index.html": page(package.title, f"<ul>{links}</ul>"),
        "-/style.css": "body{font-family:sans-serif;margin:2em}" + "h1{color:#135}" * 30,
        "-/page.js": "document.documentElement.className='js';" * 20,
        "-/logo.png": png(20, 90, 160, 96),
        "-/film.webm": chance.randbytes(400_000),
    }
    for topic in package.topics:
        text = "".join(_paragraph(chance, chance.randrange(40, 160)) for _ in range(6))
        made[page_name(topic)] = page(topic, text + f"<ul>{links}</ul>")
    return made


def file_tree(package: Package, chance: random.Random) -> dict[str, bytes]:
    """What a files host offers: folders of documents and sounds of believable sizes."""
    suffix = "mp3" if "Radio" in package.title else "pdf"
    names = [
        f"Form {form}/Paper {number}.{suffix}" for form in (1, 2, 3, 4) for number in (1, 2, 3)
    ]
    tree = {name: chance.randbytes(chance.randrange(20_000, 300_000)) for name in names}
    tree["read me.txt"] = b"Ask the librarian for more.\n"
    return tree


# --- who ------------------------------------------------------------------------------------------

_ANDROID = "Mozilla/5.0 (Linux; Android {v}; {m}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{c}"
_DESKTOP = "Mozilla/5.0 ({p}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{c} Safari/537.36"
_APPLE = "Mozilla/5.0 ({p}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{c}"
AGENTS = (
    _ANDROID.format(v="13", m="TECNO BG6", c="124.0.0.0 Mobile Safari/537.36"),
    _ANDROID.format(v="11", m="itel A60", c="119.0.6045.66 Mobile Safari/537.36"),
    _ANDROID.format(v="10", m="K", c="131.0.0.0 Mobile Safari/537.36"),
    _ANDROID.format(v="8.1.0", m="SM-J710F", c="97.0.4692.87 Mobile Safari/537.36"),
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:115.0) Gecko/20100101 Firefox/115.0",
    _DESKTOP.format(p="Windows NT 10.0; Win64; x64", c="126.0.0.0"),
    _DESKTOP.format(p="X11; CrOS x86_64 14541.0.0", c="125.0.0.0"),
    _APPLE.format(p="iPad; CPU OS 16_7 like Mac OS X", c="16.6 Mobile/15E148 Safari/604.1"),
    "Opera/9.80 (Android; Opera Mini/36.2.2254/191.303; U; fr) Presto/2.12.423 Version/12.16",
)
LANGUAGES = ("en-GB,en;q=0.9", "fr-FR,fr;q=0.8,en;q=0.5", "fr", "en-US,en;q=0.5", "ar,fr;q=0.7")


@dataclass(frozen=True)
class Probe:
    """What a system asks for, once a minute, to see whether there is an internet."""

    host: str
    path: str
    agent: str
    status: int
    body: str = ""


GOOGLE_PROBE = Probe(
    "connectivitycheck.gstatic.com",
    "/generate_204",
    _DESKTOP.format(p="X11; Linux x86_64", c="60.0.3112.32"),
    204,
)
APPLE_PROBE = Probe(
    "captive.apple.com", "/hotspot-detect.html", "CaptiveNetworkSupport wispr", 200, "Success"
)
WINDOWS_PROBE = Probe(
    "www.msftconnecttest.com", "/connecttest.txt", "Microsoft NCSI", 200, "Microsoft Connect Test"
)
PROBES = (GOOGLE_PROBE, APPLE_PROBE, WINDOWS_PROBE)


@dataclass
class Visitor:
    """A device: its address, its browser, and what that browser has in its cache."""

    address: str
    agent: str
    language: str
    probe: Probe
    etags: dict[str, str] = field(default_factory=dict)

    def headers(self) -> list[Header]:
        return [
            ("User-Agent", self.agent),
            ("Accept-Language", self.language),
            ("Accept-Encoding", "gzip, deflate"),
        ]


def visitors(chance: random.Random, count: int = 60) -> list[Visitor]:
    made = []
    for n in range(count):
        agent = chance.choice(AGENTS)
        apple, windows = "Mac OS" in agent, "Windows" in agent
        probe = APPLE_PROBE if apple else WINDOWS_PROBE if windows else GOOGLE_PROBE
        address = f"127.0.{n // 20 + 1}.{n % 20 + 10}"
        made.append(Visitor(address, agent, chance.choice(LANGUAGES), probe))
    return made


# --- what they do ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ask:
    """One request, and how long after the one before it."""

    after_seconds: int
    method: str
    host: str
    target: str | bytes
    headers: tuple[Header, ...] = ()
    body: bytes | None = None


Visit = Generator[Ask, Answer, None]
_HTML: Header = ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")


def _spelled(host: str, chance: random.Random) -> str:
    """The host as some clients write it: with the port, or with capitals."""
    if chance.random() < 0.04:
        return host.title() + ":80"
    return host + ":80" if chance.random() < 0.05 else host


class Habits:
    """How visitors use each kind of package."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def visit(self, visitor: Visitor, package: Package) -> Visit:
        """A whole visit: perhaps the landing page, the package, and now and then something odd."""
        chance = self._chance
        if chance.random() < 0.25:
            yield from self._landing(visitor)
        if package.kind == "zim":
            yield from self._zim(visitor, package)
        elif package.kind == "files":
            yield from self._files(package)
        elif package.ident == EDUPI_IDENT:
            yield from self._edupi(package)
        elif package.ident == FILE_MANAGER_IDENT:
            yield from self._file_manager(package)
        else:
            yield from self._app(package)
        if chance.random() < 0.05:
            yield from self._odd(package)

    def stay(self, visitor: Visitor, minutes: int) -> Visit:
        """A device that is connected: its system looks for the internet, minute by minute."""
        for minute in range(minutes):
            yield self._probe(visitor, 60 if minute else 0)

    def _probe(self, visitor: Visitor, after_seconds: int) -> Ask:
        probe = visitor.probe
        headers = (("User-Agent", probe.agent), ("Connection", "close"))
        return Ask(after_seconds, "GET", probe.host, probe.path, headers)

    def _landing(self, visitor: Visitor) -> Visit:
        if self._chance.random() < 0.5:
            yield self._probe(visitor, 0)
        yield Ask(1, "GET", FQDN, "/", (_HTML,))
        yield Ask(0, "GET", FQDN, "/assets/dashboard.css", (("Referer", f"http://{FQDN}/"),))
        yield Ask(0, "GET", FQDN, "/favicon.ico")

    def _asset(self, visitor: Visitor, host: str, path: str, referer: str) -> Visit:
        """Load what a page needs, unless the browser has it: then ask at times if it changed."""
        etag = visitor.etags.get(host + path)
        if etag is not None and self._chance.random() < 0.8:
            return
        headers: list[Header] = [("Accept", "*/*"), ("Referer", f"http://{host}{referer}")]
        if etag is not None:
            headers.append(("If-None-Match", etag))
        answer = yield Ask(0, "GET", host, path, tuple(headers))
        if "etag" in answer.headers:
            visitor.etags[host + path] = answer.headers["etag"]

    def _zim(self, visitor: Visitor, package: Package) -> Visit:
        chance, modern = self._chance, package.host == BROWSE
        host = _spelled(package.host, chance)
        name = package.name
        if chance.random() < 0.03:
            name = name.replace("_", "%5F")
        root = f"/content/{name}" if modern else f"/{name}"
        if modern and chance.random() < 0.4:
            yield Ask(1, "GET", host, "/viewer", (_HTML,))
            yield Ask(0, "GET", host, "/viewer_settings.js", (("Accept", "*/*"),))
            yield Ask(0, "GET", host, "/skin/taskbar.css", (("Accept", "text/css,*/*;q=0.1"),))
        if chance.random() < 0.85:
            home = root + ("/" if chance.random() < 0.8 else "")
            if chance.random() < 0.04:
                home += "?utm=poster"
            answer = yield Ask(1, "GET", host, home, (_HTML,))
            if "location" in answer.headers:
                answer = yield Ask(0, "GET", host, answer.headers["location"], (_HTML,))
                if "location" in answer.headers:
                    yield Ask(0, "GET", host, answer.headers["location"], (_HTML,))
            yield from self._page_parts(visitor, host, root, "/index.html")
        for _ in range(chance.randrange(1, 10)):
            yield from self._article(visitor, package, host, root)

    def _page_parts(self, visitor: Visitor, host: str, root: str, page: str) -> Visit:
        for part in ("/-/style.css", "/-/page.js", "/-/logo.png"):
            yield from self._asset(visitor, host, root + part, root + page)

    def _article(self, visitor: Visitor, package: Package, host: str, root: str) -> Visit:
        chance = self._chance
        topic = chance.choice(package.topics)
        think = chance.randrange(4, 110)
        kind = chance.random()
        if kind < 0.06:
            word = quote(topic.split()[0])
            yield Ask(think, "GET", host, f"/suggest?content={package.name}&term={word[:3]}")
            yield Ask(2, "GET", host, f"/search?content={package.name}&pattern={word}", (_HTML,))
            return
        if kind < 0.08:
            yield Ask(think, "GET", host, f"/random?content={package.name}", (_HTML,))
            return
        if kind < 0.12:
            yield Ask(think, "GET", host, f"{root}/Missing_{chance.randrange(90)}.jpg")
            return
        if kind < 0.15:
            for first in (0, 131072, 262144):
                span = ("Range", f"bytes={first}-{first + 131071}")
                yield Ask(think if first == 0 else 9, "GET", host, f"{root}/-/film.webm", (span,))
            return
        if kind < 0.16:
            old = f"/{package.name}/A/{quote(page_name(topic))}"
            answer = yield Ask(think, "GET", host, old, (_HTML,))
            if "location" in answer.headers:
                yield Ask(0, "GET", host, answer.headers["location"], (_HTML,))
            return
        page = "/" + quote(page_name(topic))
        yield Ask(think, "GET", host, root + page, (_HTML, ("Referer", f"http://{host}{root}/")))
        yield from self._page_parts(visitor, host, root, page)

    def _files(self, package: Package) -> Visit:
        chance, host = self._chance, _spelled(package.host, self._chance)
        if chance.random() < 0.9:
            yield Ask(1, "GET", host, "/", (_HTML,))
        suffix = "mp3" if "Radio" in package.title else "pdf"
        for _ in range(chance.randrange(1, 5)):
            folder = f"/Form%20{chance.randrange(1, 5)}/"
            yield Ask(chance.randrange(3, 30), "GET", host, folder, (_HTML,))
            target = f"{folder}Paper%20{chance.randrange(1, 4)}.{suffix}"
            if chance.random() < 0.1:
                yield Ask(2, "HEAD", host, target)
            span = (("Range", "bytes=0-65535"),) if chance.random() < 0.4 else ()
            yield Ask(chance.randrange(2, 40), "GET", host, target, span)

    def _app(self, package: Package) -> Visit:
        chance, host = self._chance, _spelled(package.host, self._chance)
        yield Ask(1, "GET", host, "/", (_HTML,))
        for _ in range(chance.randrange(2, 9)):
            wait = chance.randrange(2, 45)
            if "Maps" in package.title:
                zoom, x, y = chance.randrange(4, 12), chance.randrange(999), chance.randrange(999)
                for step in range(3):
                    yield Ask(
                        wait if step == 0 else 0, "GET", host, f"/tiles/{zoom}/{x + step}/{y}.png"
                    )
            else:
                node = f"{chance.getrandbits(64):016x}"
                yield Ask(
                    wait, "GET", host, f"/api/content/contentnode/{node}/?include_coach=false"
                )
                yield Ask(1, "POST", host, "/api/logger/contentsessionlog/", (), b'{"progress":1}')

    def _edupi(self, package: Package) -> Visit:
        chance, host = self._chance, package.host
        yield Ask(1, "GET", host, "/", (_HTML,))
        yield Ask(1, "GET", host, "/api/documents/")
        for _ in range(chance.randrange(0, 3)):
            document = b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\nhello\r\n--b--\r\n"
            form = ("Content-Type", "multipart/form-data; boundary=b")
            yield Ask(chance.randrange(20, 90), "POST", host, "/api/documents/", (form,), document)
        if chance.random() < 0.3:
            yield Ask(30, "DELETE", host, f"/api/documents/{chance.randrange(1, 400)}")

    def _file_manager(self, package: Package) -> Visit:
        chance, host = self._chance, package.host
        yield Ask(1, "GET", host, "/", (_HTML,))
        for _ in range(chance.randrange(1, 4)):
            yield Ask(chance.randrange(5, 60), "GET", host, "/index.php?p=Devoirs", (_HTML,))
            if chance.random() < 0.6:
                added = chance.choice((1, 1, 1, 2, 3, 5))
                yield Ask(25, "POST", host, f"/index.php?p=Devoirs&upload={added}", (), b"x" * 500)
            elif chance.random() < 0.4:
                yield Ask(
                    12,
                    "POST",
                    host,
                    f"/index.php?p=Devoirs&delete={chance.choice((1, 1, 2))}",
                    (),
                    b"y",
                )

    def _odd(self, package: Package) -> Visit:
        """What curious pupils, scanners and broken clients send; each is logged, none may harm."""
        odd: tuple[tuple[str | bytes, tuple[Header, ...]], ...] = (
            ("/../../etc/passwd", ()),
            ("/%2e%2e/%2e%2e/etc/passwd", ()),
            ('/"><script>alert(1)</script>', (("Referer", '"quoted" and \\ back'),)),
            ("/?q=" + "A" * 3000, ()),
            (b"/content/caf\xe9", (("X-Odd", b"\xff\xfe"),)),
            ("/ends%00here", (("User-Agent", "line\u2028separator and next\u0085line"),)),
            ("/${jndi:ldap://127.0.0.1/a}", (("User-Agent", "${jndi:ldap://127.0.0.1/a}"),)),
            ("/content/", (("X-Tfm-Files-Added", "9"),)),
            ("/wp-login.php", (("Cookie", "a=b"), ("Authorization", "Basic Ym9iOnNlY3JldA=="))),
            ("//double//slash//", (("User-Agent", '","status":200,"x":"'),)),
        )
        target, headers = self._chance.choice(odd)
        yield Ask(3, "GET", package.host, target, headers)
        if self._chance.random() < 0.3:
            yield Ask(1, "OPTIONS", package.host, "/", (("Origin", "http://elsewhere.example"),))


def choose(chance: random.Random) -> Package:
    return chance.choices(PACKAGES, weights=[package.weight for package in PACKAGES])[0]
