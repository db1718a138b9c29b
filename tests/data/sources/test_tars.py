from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.sources.tars import samples
from tests.data.sources.packing import write_tar

GIF = b"GIF89a"


def test_a_sample_is_what_shares_a_name_up_to_the_first_dot(tmp_path: Path) -> None:
    path = write_tar(
        tmp_path / "a.tar",
        {
            "./cats/000.image.gif": GIF,
            "./cats/000.txt": "\ufeffa cat".encode(),
            "./cats/000.cls": b"7",
            "cats/001.WEBP": b"RIFF",
            "cats/001.json": b'{"caption": "another", "split": "val", "id": 3, "size": 8, "text": null}',
            ".hidden.gif": GIF,
            "README": b"no suffix",
            "cats/002.jpg": b"\xff\xd8\xff",
        },
    )
    found = [(sample.name, sample.suffix, sample.data, dict(sample.record)) for sample in samples(path)]
    assert found == [
        ("cats/000", ".gif", GIF, {"text": "a cat"}),
        ("cats/001", ".webp", b"RIFF", {"text": None, "caption": "another", "split": "val", "id": 3}),
        ("cats/002", ".jpg", b"\xff\xd8\xff", {}),
    ]


def test_text_beside_json_is_the_caption_and_one_dot_beats_two(tmp_path: Path) -> None:
    files = {"0.gif": GIF, "0.mask.gif": b"mask", "0.txt": b"one", "0.json": b'{"text": "other"}'}
    (sample,) = samples(write_tar(tmp_path / "a.tgz", files))
    assert (sample.data, sample.record["text"]) == (GIF, "one")


@pytest.mark.parametrize(
    ("files", "links", "says"),
    [
        ({"../0.gif": GIF}, {}, r"a\.tar: \.\./0\.gif lies outside the archive. Pack it again with relative names"),
        ({"/etc/0.gif": GIF}, {}, r"/etc/0\.gif lies outside the archive"),
        ({}, {"0.gif": "/etc/passwd"}, r"a\.tar: 0\.gif is a link or a device and no file"),
        ({"0.a.gif": GIF, "0.b.gif": GIF}, {}, r"a\.tar: 0: a sample has one file of a kind, and this has a\.gif, b"),
        ({"0.gif": GIF, "1.gif": GIF, "0.txt": b"a"}, {}, r"the sample 0 are not next to each other"),
        ({"0.gif": GIF, "0.json": b"{"}, {}, r"a\.tar: 0\.json: is not JSON"),
        ({"0.gif": GIF, "0.json": b"[1]"}, {}, r"a\.tar: 0\.json: must be a JSON object"),
        ({"0.gif": GIF, "0.txt": b"\xff"}, {}, r"a\.tar: 0\.txt: is not UTF-8"),
    ],
)
def test_what_cannot_be_understood_is_named(
    files: Mapping[str, bytes], links: Mapping[str, str], says: str, tmp_path: Path
) -> None:
    path = write_tar(tmp_path / "a.tar", files, links=links)
    with pytest.raises(DataError, match=says):
        list(samples(path))


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_a_tar_cut_off_anywhere_is_damaged(name: str, tmp_path: Path, sticker: Callable[[str], bytes]) -> None:
    files = {f"{number}.gif": sticker(f"{number}.gif") for number in range(3)}
    path = write_tar(tmp_path / name, files)
    data = path.read_bytes()
    for length in range(0, len(data.rstrip(b"\0")), 211):
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match=r"is damaged or incomplete: .* Pack or download it again"):
            list(samples(path))
