"""What was found out about a machine, in words and as data."""

import csv
import io
import json

from rdtf_bench.report.doctor import render
from rdtf_bench.run.doctor import FETCH, Examination, Finding, ScaleFinding

ABSENT = Finding(subject="t5-base", state="absent", fault="/a/b is absent", mend=FETCH)
FOUND = Examination(
    versions=(Finding(subject="torch", state="2.15.0"),),
    machine=(Finding(subject="GPU", state="none"),),
    weights=(ABSENT,),
    store=(Finding(subject="runs", state="3 entries", fault="1 damaged files", mend="rdtf-bench store verify"),),
    scales=(
        ScaleFinding(scale="tiny", title="", lacks=()),
        ScaleFinding(scale="gpu", title="", lacks=(Finding(subject="device", state="none", fault="no GPU"), ABSENT)),
    ),
)


def test_the_text_says_what_can_run_what_is_missing_and_how_to_get_it() -> None:
    text = render(FOUND, format="text")
    lines = [line.split() for line in text.splitlines()]
    assert ["tiny", "yes"] in lines
    assert ["gpu", "no", "device:", "no", "GPU"] in lines
    assert ["t5-base:", "absent"] in lines
    assert "To mend scale gpu: rdtf-bench assets fetch t5-base" in text
    assert "To mend runs: rdtf-bench store verify" in text
    assert "rdtf-bench run table1" in text


def test_json_and_csv_hold_every_finding() -> None:
    found = json.loads(render(FOUND, format="json"))
    assert [scale["scale"] for scale in found["scales"] if scale["lacks"]] == ["gpu"]
    rows = {row["subject"]: row for row in csv.DictReader(io.StringIO(render(FOUND, format="csv")))}
    assert rows["t5-base"]["mend"] == FETCH
    assert rows["gpu"]["fault"] == "device: no GPU; t5-base: /a/b is absent"
