import base64
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from rdtf_bench.core.errors import DataError
from rdtf_bench.data import asg, fluent
from rdtf_bench.data.reading.folders.folder import read

# by part: code points -> number of frames
PARTS: dict[int, dict[str, int]] = {
    1: {"1f93e": 3, "1f93e-1f3fd-200d-2640-fe0f": 4, "0023-fe0f-20e3": 1},
    2: {"1f600": 5, "1f3f4-e0067_e0062_e0065_e006e_e0067": 1},
    3: {"1f4a4": 2},
    4: {"2764-fe0f": 2, "1f499": 2},
}


def webp(name: str, num_frames: int) -> bytes:
    tint = sum(name.encode()) % 256  # so that no two files have the same bytes
    frames = [Image.new("RGBA", (8, 8), (40 * number, tint, 0, 255)) for number in range(num_frames)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], duration=42)
    return buffer.getvalue()


def archive(files: dict[str, int]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name, data in [("package/package.json", b"{}")] + [
            (f"package/assets/{code_points}.webp", webp(code_points, count)) for code_points, count in files.items()
        ]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Four small archives in place of the real ones, by file name."""
    made = {part: archive(files) for part, files in PARTS.items()}
    digests = {part: base64.b64encode(hashlib.sha512(data).digest()).decode() for part, data in made.items()}
    monkeypatch.setattr(fluent, "ARCHIVES_SHA512", digests)
    monkeypatch.setattr(fluent, "NUM_FILES", 8)
    monkeypatch.setattr(fluent, "NUM_ANIMATED", 6)
    return {fluent.archive_name(part): data for part, data in made.items()}


def put(folder: Path, published: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in published.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def npm(tmp_path: Path, published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Path:
    """An npm that packs from a folder, and a list of the packages that it was asked for."""
    registry, asked = put(tmp_path / "registry", published), tmp_path / "asked"
    asked.touch()
    script = tmp_path / "bin" / "npm"
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\nset -e\necho "$2" >> {asked}\n'
        'name=$(echo "$2" | sed "s,^@,,; s,/,-,; s,@,-,")\n'
        f'[ -f "{registry}/$name.tgz" ] || {{ echo "npm error 404 not found" >&2; exit 1; }}\n'
        f'cp "{registry}/$name.tgz" "$4"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    return asked


@pytest.mark.usefixtures("npm")
def test_npm_gets_the_archives_and_an_ordinary_folder_comes_out(tmp_path: Path) -> None:
    summary = fluent.fetch(tmp_path / "data" / "fluent")
    assert sum(summary.counts.values()) == 6
    assert not summary.was_there
    assert [path.name for path in sorted((tmp_path / "data").iterdir())] == [".fluent.lock", "fluent"]
    folder = read(tmp_path / "data" / "fluent", name="fluent")
    assert {clip.caption: clip.num_frames for clip in folder.clips} == {
        "person playing handball": 3,
        "woman playing handball medium skin tone": 4,
        "grinning face": 5,
        "ZZZ": 2,
        "red heart": 2,
        "blue heart": 2,
    }
    assert folder.split_from == "split column"


def test_a_second_call_does_nothing_and_intact_archives_are_kept(
    tmp_path: Path, published: dict[str, bytes], npm: Path
) -> None:
    archives = put(tmp_path / "archives", published)
    names = sorted(published)
    (archives / names[1]).unlink()
    (archives / names[2]).write_bytes(published[names[2]][:-100])  # cut off
    fluent.fetch(tmp_path / "fluent", archives=archives)
    assert npm.read_text().split() == ["@lobehub/fluent-emoji-anim-2@1.0.0", "@lobehub/fluent-emoji-anim-3@1.0.0"]
    assert {path.name: path.read_bytes() for path in archives.iterdir()} == published
    assert fluent.fetch(tmp_path / "fluent", archives=archives).was_there
    assert len(npm.read_text().split()) == 2


def test_an_interrupted_extraction_is_done_again(
    tmp_path: Path, published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = put(tmp_path / "archives", published)

    def interrupt(what: str, done: int, _total: int) -> None:
        if (what, done) == ("extract", 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fluent.fetch(tmp_path / "fluent", archives=archives, on_progress=interrupt)
    assert not (tmp_path / "fluent").exists()
    monkeypatch.setenv("PATH", "")
    (archives / ".npm-killed").mkdir()
    killed = tmp_path / ".fluent.1.tmp"
    killed.mkdir()
    assert sum(fluent.fetch(tmp_path / "fluent", archives=archives).counts.values()) == 6
    assert not (archives / ".npm-killed").exists()
    assert len(list((tmp_path / "fluent").iterdir())) == 7
    assert not killed.exists()


def test_without_npm_it_says_what_to_put_where(
    tmp_path: Path, published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = put(tmp_path / "archives", published)
    names = sorted(published)
    (archives / names[3]).unlink()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        DataError, match=r"(?s)npm was not found.*Install npm.*archives and run.*anim-4-1.0.0.tgz"
    ) as caught:
        fluent.fetch(tmp_path / "fluent", archives=archives)
    assert names[0] not in str(caught.value)


@pytest.mark.usefixtures("npm")
def test_a_failing_npm_is_quoted(tmp_path: Path) -> None:
    for path in (tmp_path / "registry").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"(?s)npm pack @lobehub/fluent-emoji-anim-1@1.0.0. failed.*404 not found"):
        fluent.fetch(tmp_path / "fluent")


@pytest.mark.usefixtures("npm")
def test_an_archive_of_other_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "registry" / fluent.archive_name(2)).write_bytes(archive({"1f600": 2}))
    with pytest.raises(DataError, match="another SHA-512"):
        fluent.fetch(tmp_path / "fluent")
    assert not (tmp_path / "fluent-archives" / fluent.archive_name(2)).exists()


def test_a_folder_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "fluent").mkdir()
    (tmp_path / "fluent" / "mine.txt").touch()
    with pytest.raises(DataError, match="not a finished fluent folder"):
        fluent.fetch(tmp_path / "fluent")
    assert (tmp_path / "fluent" / "mine.txt").exists()


def test_a_folder_that_lost_files_is_noticed(tmp_path: Path, published: dict[str, bytes]) -> None:
    archives = put(tmp_path / "archives", published)
    fluent.fetch(tmp_path / "fluent", archives=archives)
    (tmp_path / "fluent" / "1f600.webp").unlink()
    with pytest.raises(DataError, match="1 files of 6 are missing"):
        fluent.fetch(tmp_path / "fluent", archives=archives)


def test_a_folder_of_an_earlier_version_learns_its_drawings_without_archives(
    tmp_path: Path, published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "data" / "fluent"
    fluent.fetch(root, archives=put(tmp_path / "archives", published))
    wanted = (root / "metadata.jsonl").read_text()
    rows = [json.loads(line) for line in wanted.splitlines()]
    assert [row.pop("cluster") for row in rows if row["file_name"].startswith("1f93e")] == ["1f93e", "1f93e"]
    older = "".join(json.dumps({key: value for key, value in row.items() if key != "cluster"}) + "\n" for row in rows)
    (root / "metadata.jsonl").write_text(older)
    with pytest.raises(DataError, match=r"does not say which files show the same drawing.*data fetch fluent"):
        asg.prepare("fluent", store=tmp_path)
    monkeypatch.setenv("PATH", "")
    assert fluent.fetch(root).was_there
    assert (root / "metadata.jsonl").read_text() == wanted
    assert asg.prepare("fluent", store=tmp_path) == root


def test_the_command_says_counts_and_progress(tmp_path: Path, published: dict[str, bytes]) -> None:
    lines: list[str] = []
    archives = put(tmp_path / "archives", published)
    said = fluent.fetch_into(tmp_path, archives=archives, on_progress=lines.append)
    assert "6 animated stickers, ready: train" in said
    assert "--data asg=fluent" in said
    assert lines[0] == "fluent: download 0 %"
    assert lines[-1] == "fluent: extract 100 %"
    assert "already there" in fluent.fetch_into(tmp_path, archives=archives, on_progress=lines.append)


@pytest.mark.parametrize(
    "versions",
    [
        ["1f93e", "1f93e-1f3fd", "1f93e-200d-2640-fe0f", "1f93e-1f3fd-200d-2642-fe0f"],  # handball
        ["1f9d1-200d-1f680", "1f468-200d-1f680", "1f469-1f3ff-200d-1f680"],  # astronaut
        ["1f6b6", "1f6b6-200d-27a1-fe0f", "1f6b6-1f3fb-200d-2640-fe0f-200d-27a1-fe0f"],  # walking, facing right
        ["1f46a", "1f468-200d-1f469-200d-1f467-200d-1f466", "1f469-200d-1f466"],  # families
        ["1f491", "1f468-200d-2764-fe0f-200d-1f468", "1f469-1f3fb-200d-2764-fe0f-200d-1f468-1f3fc"],
        ["1f48f", "1f469-200d-2764-fe0f-200d-1f48b-200d-1f469"],  # kiss
        ["1f46b", "1f46c-1f3fb", "1f46d", "1f9d1-1f3fb-200d-1f91d-200d-1f9d1-1f3ff"],  # holding hands
        ["1f91d", "1faf1-1f3fb-200d-1faf2-1f3fc"],  # handshake
        ["1f446", "1f448-1f3fd"],  # pointing up, left
        ["1f466", "1f467-1f3fb", "1f9d2"],  # boy, girl, child
        ["2764-fe0f", "1f499"],  # red, blue heart
        ["1f385-1f3fb", "1f936", "1f9d1-200d-1f384"],  # Santa Claus and his colleagues
    ],
)
def test_versions_of_one_drawing_share_its_key(versions: list[str]) -> None:
    assert len({fluent.drawing(code_points) for code_points in versions}) == 1


def test_different_drawings_have_different_keys() -> None:
    drawings = ["1f93e", "1f9d1", "1f9d1-200d-1f680", "1f468-200d-1f373", "1f46a", "1f491", "1f48f", "2764-fe0f"]
    drawings += ["2764-fe0f-200d-1f525", "1f600", "1f63a", "1f385", "1f9d2", "1f446"]
    assert len({fluent.drawing(code_points) for code_points in drawings}) == len(drawings)


def test_drawings_are_split_80_10_10() -> None:
    counts = [fluent.split_of(f"{number:x}") for number in range(3000)]
    # five standard deviations: 110 of 2,400 and 82 of 300
    assert abs(counts.count("train") - 2400) < 110
    assert abs(counts.count("validation") - 300) < 82
    assert abs(counts.count("test") - 300) < 82


def test_the_rows_of_the_folder_are_sorted(tmp_path: Path, published: dict[str, bytes]) -> None:
    fluent.fetch(tmp_path / "fluent", archives=put(tmp_path / "archives", published))
    names = [
        json.loads(line)["file_name"] for line in (tmp_path / "fluent" / "metadata.jsonl").read_text().splitlines()
    ]
    assert names == sorted(names)


def test_a_name_is_known_with_and_without_the_variation_selector() -> None:
    assert fluent.caption("2764-fe0f") == fluent.caption("2764") == "red heart"
    assert fluent.caption("1f557") == "eight o'clock"
    with pytest.raises(DataError, match="no name"):
        fluent.caption("0041")


@pytest.mark.parametrize(("function", "line"), [(fluent.caption, "person playing handball"), (fluent.drawing, "1f93e")])
def test_a_plain_emoji(function: Callable[[str], str], line: str) -> None:
    assert function("1f93e") == line
