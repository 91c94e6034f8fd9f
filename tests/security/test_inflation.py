"""What one visitor can add to the figures, as docs/security.md says."""

from __future__ import annotations

from pathlib import Path

from tests.security.cases import NOON, Serve, line
from tests.support.measured import measured

REQUESTS = 20_000


def test_what_one_visitor_can_add(tmp_path: Path) -> None:
    """S36: each request of a home is a visit; activity, uptime, titles and files are bounded by
    time, by the packages file and by the answers of the file manager.
    """
    with Serve(tmp_path) as serve:
        visits = b"".join(line(at=NOON + n * 60 / REQUESTS) for n in range(REQUESTS))
        others = line("/content/mine/") + line(host="mine.box") + line(status=404) * 5
        headers = ',"X-Tfm-Files-Added":["9"]'
        shared = line("/", host="share.box", status=403, more=headers) + line("/", host="lib.box")
        serve.log.write_bytes(visits + others + shared)
        serve.wait_for_lines(REQUESTS + 9)
        assert serve.stop() == 0
    with Serve(tmp_path) as again:  # what was saved at the end
        popularity, usage = again.figures(2001), again.figures(2003)
        uptime, files = again.figures(2004), again.figures(2005)
        assert again.stop() == 0
    measured(
        requests=REQUESTS,
        visits=popularity["totalVisits"],
        minutes_of_activity=usage["totalMinutesActivity"],
        minutes_on=uptime["nbMinutesOn"],
    )
    assert popularity == {
        "items": [{"package": "Bees", "visits": REQUESTS}],
        "totalVisits": REQUESTS,
    }
    assert usage["items"] == [{"package": "Bees", "minutesActivity": 10}]
    assert usage["totalMinutesActivity"] == 10
    assert uptime["nbMinutesOn"] <= 2
    assert files == {"filesCreated": 0, "filesDeleted": 0}
