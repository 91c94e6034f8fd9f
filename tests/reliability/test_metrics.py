"""What scrapers of /metrics read, by the parser of Prometheus' own client."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.reliability.serving import Serving
from tests.support.reading import FILEBEAT, READERS

PREFIX = "offspot_metrics_"


@pytest.mark.parametrize("reader", READERS)
def test_metrics_are_read_by_the_parser_of_prometheus(tmp_path: Path, reader: str) -> None:
    """Each family has a help text, a type and samples of its name, and no sample is there twice."""
    with Serving(tmp_path, "--reader", reader, "--filebeat", str(FILEBEAT)) as serving:
        serving.add(3)
        serving.wait(serving.counted(3), 60)
        text = serving.get("/metrics")[1].decode("utf-8")
        families = list(text_string_to_metric_families(text))
        names = [family.name for family in families]
        assert len(names) == len(set(names)) > 10
        samples = [sample for family in families for sample in family.samples]
        keys = [(sample.name, *sorted(sample.labels.items())) for sample in samples]
        assert len(keys) == len(set(keys))
        assert len(keys) == sum(not line.startswith("#") for line in text.splitlines())
        for family in families:
            assert family.documentation
            assert family.type in {"counter", "gauge"}
            assert family.name.startswith(PREFIX)
            ending = "_total" if family.type == "counter" else ""
            assert family.samples
            assert {sample.name for sample in family.samples} == {family.name + ending}
        values = {key: sample.value for key, sample in zip(keys, samples, strict=True)}
        assert values[f"{PREFIX}lines_total", ("fate", "counted")] == 3
        assert values[f"{PREFIX}reader_active", ("kind", reader)] == 1
        assert values[f"{PREFIX}healthy",] == 1
