"""The states of a verdict, and the codes of its reasons: what each means, and what to do about it.

The page translates the codes (`static/src/i18n`). A sentence has its numbers in braces.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple


class State(Enum):
    """Whether it is counting. The value is its name in JSON, metrics and on the page."""

    COUNTING = "counting"
    WAITING = "waiting"
    """Nothing is wrong, and nothing has been counted yet."""
    DOUBTFUL = "doubtful"
    """It counts; some figures may be missing or wrong."""
    UNKNOWN = "unknown"
    NOT_COUNTING = "not-counting"


WORST_FIRST: Final = tuple(reversed(State))


class Probe(Enum):
    """The narrowest route of `/health` that answers 503 for a reason (docs/adr/0036)."""

    LIVE = 1
    READY = 2
    HEALTH = 3
    NONE = 4
    """No route does: a program that restarts the container would help nobody."""


class Code(Enum):
    """Why a verdict is not `counting`. The value is its name in JSON, metrics and catalogues."""

    # The process
    THREAD_ENDED = "thread-ended"
    STANDING_STILL = "standing-still"
    NOT_RUNNING = "not-running"
    DISABLED = "disabled"
    COUNTED_ELSEWHERE = "counted-elsewhere"
    DATABASE_UNUSABLE = "database-unusable"
    # The packages file
    PACKAGES_MISSING = "packages-missing"
    PACKAGES_NONE = "packages-none"
    PACKAGES_STALE = "packages-stale"
    PACKAGES_IGNORED = "packages-ignored"
    # The reader and the logs
    READER_STOPPED = "reader-stopped"
    READER_RESTARTING = "reader-restarting"
    STARTING = "starting"
    FIGURES_UNREADABLE = "figures-unreadable"
    LOGS_UNREADABLE = "logs-unreadable"
    LOG_UNREADABLE = "log-unreadable"
    NO_LOG_FILE = "no-log-file"
    NO_LOG_FILE_YET = "no-log-file-yet"
    # Saving
    SAVING_FAILS = "saving-fails"
    SAVE_LATE = "save-late"
    DISK_FULL = "disk-full"
    # The clock
    CLOCK_IMPOSSIBLE = "clock-impossible"
    CLOCK_STEPPED = "clock-stepped"
    LINES_OF_IMPOSSIBLE_TIME = "lines-of-impossible-time"
    # The lines
    LINES_OF_OTHER_HOSTS = "lines-of-other-hosts"
    LINES_WITH_ERRORS = "lines-with-errors"
    LINES_OF_UNKNOWN_ZIMS = "lines-of-unknown-zims"
    LINES_NOT_JSON = "lines-not-json"
    LINES_NOT_ACCESS_LOG = "lines-not-access-log"
    LINES_INCOMPLETE = "lines-incomplete"
    LINES_OF_BAD_TIME = "lines-of-bad-time"
    LINES_NOT_COUNTED = "lines-not-counted"
    NONE_COUNTED_LATELY = "none-counted-lately"
    SILENT = "silent"
    NOTHING_SINCE_START = "nothing-since-start"
    NOTHING_YET = "nothing-yet"


class Effect(NamedTuple):
    """What a reason means for the verdict and for `/health`, in words with its remedy."""

    state: State
    probe: Probe
    text: str
    remedy: str


_NO, _DOUBTFUL, _WAIT = State.NOT_COUNTING, State.DOUBTFUL, State.WAITING
_DOCTOR: Final = "run offspot-metrics doctor: it shows the newest lines, each with its reason"

EFFECTS: Final[dict[Code, Effect]] = {
    Code.THREAD_ENDED: Effect(
        _NO, Probe.LIVE, "the {thread} thread has ended", "restart serve; if it recurs, report it"
    ),
    Code.STANDING_STILL: Effect(
        _NO,
        Probe.LIVE,
        "counting has stood still for {seconds}",
        "restart serve; if it recurs, check the SD card",
    ),
    Code.NOT_RUNNING: Effect(
        _NO,
        Probe.NONE,
        "no serve is running on this database",
        "start it with the same DATABASE_URL, or check whether serve uses another database",
    ),
    Code.DISABLED: Effect(
        _NO,
        Probe.NONE,
        "counting is switched off: PROCESSING_DISABLED is set",
        "unset PROCESSING_DISABLED and restart serve to have the logs read",
    ),
    Code.COUNTED_ELSEWHERE: Effect(
        State.UNKNOWN,
        Probe.NONE,
        "this process shows the figures only; another one saves into the database",
        "see the status of the process that counts",
    ),
    Code.DATABASE_UNUSABLE: Effect(
        _NO, Probe.READY, "{problem}", "check DATABASE_URL, or run offspot-metrics doctor"
    ),
    Code.PACKAGES_MISSING: Effect(
        _NO,
        Probe.READY,
        "nothing is counted: {problem}",
        "put a valid packages file there: it is read within a minute, and the logs wait; "
        "offspot-metrics doctor shows the error",
    ),
    Code.PACKAGES_NONE: Effect(
        _NO,
        Probe.NONE,
        "the packages file has no package that can be counted",
        "add packages to it, each with url: //host/..., title and kind; it is read within a minute",
    ),
    Code.PACKAGES_STALE: Effect(
        _DOUBTFUL,
        Probe.NONE,
        "the packages known before are used: {problem}",
        "correct the packages file: it is read again within a minute",
    ),
    Code.PACKAGES_IGNORED: Effect(
        _DOUBTFUL,
        Probe.NONE,
        "entries of the packages file that are ignored or changed: {entries}",
        "correct the entries listed below: the file is read again within a minute",
    ),
    Code.READER_STOPPED: Effect(
        _NO, Probe.READY, "the reader is not running", "restart serve, and see its log"
    ),
    Code.READER_RESTARTING: Effect(
        _DOUBTFUL,
        Probe.NONE,
        "Filebeat has failed and is starting again",
        "see the log of serve if it goes on; READER=tail uses the built-in reader",
    ),
    Code.STARTING: Effect(_WAIT, Probe.NONE, "it is starting", "wait a minute"),
    Code.FIGURES_UNREADABLE: Effect(
        _DOUBTFUL,
        Probe.READY,
        "the figures cannot be read from the database; the log says why",
        "see the log of serve; a damaged database is repaired by itself",
    ),
    Code.LOGS_UNREADABLE: Effect(
        _NO,
        Probe.HEALTH,
        "{problem}",
        "check REVERSE_PROXY_LOGS_LOCATION, and that serve may read the logs there",
    ),
    Code.LOG_UNREADABLE: Effect(
        _DOUBTFUL, Probe.HEALTH, "{problem}", "offspot-metrics doctor has the remedy for this file"
    ),
    Code.NO_LOG_FILE: Effect(
        _NO,
        Probe.NONE,
        "there is no log file to read",
        "open a page of the hotspot; if no log file appears, check that the proxy writes its "
        "access log to the folder that serve reads",
    ),
    Code.NO_LOG_FILE_YET: Effect(
        _WAIT,
        Probe.NONE,
        "there is no log file yet",
        "open a page of the hotspot: the proxy then begins its log",
    ),
    Code.SAVING_FAILS: Effect(
        _DOUBTFUL,
        Probe.HEALTH,
        "saving fails: {problem}",
        "check that the disk of the database has space and can be written to",
    ),
    Code.SAVE_LATE: Effect(
        _NO,
        Probe.HEALTH,
        "nothing was saved for {seconds}",
        "check the disk of the database: what is counted stays in memory until it can be saved",
    ),
    Code.DISK_FULL: Effect(
        _DOUBTFUL,
        Probe.HEALTH,
        "the disk is full: {bytes} bytes are left",
        "free some space on the disk of the database",
    ),
    Code.CLOCK_IMPOSSIBLE: Effect(
        _DOUBTFUL,
        Probe.NONE,
        "the clock shows a time before this program was made",
        "set the clock of the hotspot, and fit a clock chip so that it keeps its time",
    ),
    Code.CLOCK_STEPPED: Effect(
        _DOUBTFUL,
        Probe.NONE,
        "the clock was changed by {seconds} within the last day of running",
        "check the date of the hotspot; figures are stored under the date that the clock had",
    ),
    Code.LINES_OF_IMPOSSIBLE_TIME: Effect(
        _DOUBTFUL,
        Probe.NONE,
        "the log has lines of an impossible date",
        "check the clock of the machine on which the proxy runs; the lines are counted under the "
        "date that they have",
    ),
    Code.LINES_OF_OTHER_HOSTS: Effect(
        _NO,
        Probe.NONE,
        "none of {lines} lines counts: they are for other hosts than those of the packages, most "
        "for {detail}",
        "if the hotspot was renamed, change the hosts in the packages file to the new ones",
    ),
    Code.LINES_WITH_ERRORS: Effect(
        _NO,
        Probe.NONE,
        "none of {lines} lines counts: the responses are errors, most with status {detail}",
        "check that the content is there and that kiwix-serve is running",
    ),
    Code.LINES_OF_UNKNOWN_ZIMS: Effect(
        _NO,
        Probe.NONE,
        "none of {lines} lines counts: they are for ZIMs that no package has, such as {detail}",
        "add these ZIMs to the packages file, with url: //HOST/viewer#NAME",
    ),
    Code.LINES_NOT_JSON: Effect(
        _NO,
        Probe.NONE,
        "none of {lines} lines counts: they are not JSON",
        "let Caddy write JSON: `log` with `output file ...` and `format json`",
    ),
    Code.LINES_NOT_ACCESS_LOG: Effect(
        _NO,
        Probe.NONE,
        "none of {lines} lines counts: they are other messages of the proxy",
        "add a `log` directive to each site of the Caddyfile",
    ),
    Code.LINES_INCOMPLETE: Effect(
        _NO,
        Probe.NONE,
        "none of {lines} lines counts: the field {detail} is missing or has another form",
        "remove filters and renamed fields from Caddy's `log` block",
    ),
    Code.LINES_OF_BAD_TIME: Effect(
        _NO,
        Probe.NONE,
        "none of {lines} lines counts: their time is outside 2000 to 2100, or in another form",
        "set the clock of the hotspot, and remove `time_format` from Caddy's `log` block",
    ),
    Code.LINES_NOT_COUNTED: Effect(_NO, Probe.NONE, "none of {lines} lines counts", _DOCTOR),
    Code.NONE_COUNTED_LATELY: Effect(
        _DOUBTFUL, Probe.NONE, "none of the {lines} lines of the last hour counts", _DOCTOR
    ),
    Code.SILENT: Effect(
        _DOUBTFUL,
        Probe.NONE,
        "no package was used in {hours} hours of running, though this hotspot usually is in use "
        "at such times",
        "open a package: if its visit does not appear within a minute, run offspot-metrics doctor",
    ),
    Code.NOTHING_SINCE_START: Effect(
        _WAIT,
        Probe.NONE,
        "no line has counted since the start, of {lines}",
        "open a package through the hotspot's page: it counts within a minute",
    ),
    Code.NOTHING_YET: Effect(
        _WAIT,
        Probe.NONE,
        "nothing has been counted yet",
        "open a package through the hotspot's page: it counts within a minute",
    ),
}
"""What each code means."""
