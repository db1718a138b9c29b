import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from rdtf_bench.report.page.inspection import write
from rdtf_bench.run.inspection import inspect

WORDS = 'a <b>bold</b> "star" & more'


def write_clip(path: Path, x: int, num_frames: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [Image.new("RGB", (40, 20), (255, 255, 255)) for _ in range(num_frames)]
    for number, frame in enumerate(frames):
        ImageDraw.Draw(frame).rectangle((x, 2, x + 6, 6 + number), fill=(160, 10 * x, 0))
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)


class Tags(HTMLParser):
    """The start tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Path]:
    root = tmp_path / "data"
    for number in range(3):
        write_clip(root / f"{number}.gif", 10 * number, 3 + number)
    (root / "copy.gif").write_bytes((root / "0.gif").read_bytes())
    (root / "empty.gif").touch()
    splits = {"0": "train", "1": "train", "2": "validation", "copy": "test"}
    rows = [{"file_name": f"{name}.gif", "text": f"{WORDS} {name}", "split": split} for name, split in splits.items()]
    rows += [{"file_name": "empty.gif", "text": "nothing", "split": "test"}]
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    facts, page = write(inspect("asg", str(root), store=tmp_path / "store"), tmp_path / "out")
    return facts, page


def test_the_facts_are_json_with_paths_below_the_folder(written: tuple[Path, Path]) -> None:
    facts = json.loads(written[0].read_text(encoding="utf-8"))
    assert facts["sound"] is False
    assert facts["splits"]["train"]["num_clips"] == 2
    assert facts["splits"]["all"]["frames"]["largest"] == 5
    assert facts["sizes_px"] == [{"width": 40, "height": 20, "clips": 4}]
    assert facts["broken"] == [{"fault": "is empty", "files": [{"path": "empty.gif", "why": "is empty"}]}]
    assert facts["copies"] == [["asg/0", "asg/copy"]]
    assert facts["leaks"] == [
        {"kind": "same bytes", "clips": [{"id": "asg/0", "split": "train"}, {"id": "asg/copy", "split": "test"}]}
    ]


def test_the_page_stands_alone_and_every_picture_has_a_text(written: tuple[Path, Path]) -> None:
    text = written[1].read_text(encoding="utf-8")
    tags = Tags(text).found
    images = [found for tag, found in tags if tag == "img"]
    assert all((found["src"] or "").startswith("data:image/") for found in images)
    assert all(found["alt"] for found in images)
    assert not [tag for tag, _ in tags if tag in ("script", "link")]
    assert "http" not in text
    dark = [found for tag, found in tags if tag == "source"]
    assert {found["media"] for found in dark} == {"(prefers-color-scheme: dark)"}
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in tags


def test_captions_are_escaped(written: tuple[Path, Path]) -> None:
    text = written[1].read_text(encoding="utf-8")
    assert "<b>bold</b>" not in text
    assert "a &lt;b&gt;bold&lt;/b&gt; &#34;star&#34; &amp; more 0" in text


def test_thumbnails_are_frames_of_the_clip_side_by_side(written: tuple[Path, Path]) -> None:
    images = [found for tag, found in Tags(written[1].read_text(encoding="utf-8")).found if tag == "img"]
    strip = next(found for found in images if (found["alt"] or "").startswith("Frames of asg/1:"))
    data = re.sub("^data:image/webp;base64,", "", strip["src"] or "")
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (4 * 72, 72)
        first, second = (image.convert("L").crop((72 * place, 0, 72 * (place + 1), 72)) for place in range(2))
    assert min(first.tobytes()) < 128
    assert first.tobytes() != second.tobytes()


def test_a_folder_without_a_whole_file_has_a_page(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    (root / "empty.gif").touch()
    _, page = write(inspect("asg", str(root), store=tmp_path / "store"), tmp_path / "out")
    text = page.read_text(encoding="utf-8")
    assert "<code>empty.gif</code>: is empty" in text
    assert "Distributions" not in text
