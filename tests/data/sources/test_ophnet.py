from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

from rdtf_bench.cli import app
from rdtf_bench.core.errors import DataError, InputError
from rdtf_bench.data.sources import disk, ophnet
from tests.data.sources.packing import write_tar

TABLE = b"video_id,start,end,split,segment_path\n"
VIDEOS = {f"OphNet2024_trimmed_phase/case_000{n}/case_000{n}_0.mp4": bytes(range(256)) * 40 for n in range(3)}


@pytest.fixture
def published(tmp_path: Path) -> dict[str, bytes]:
    """The files of the repository: a part in four pieces, annotations, and what is not wanted."""
    files = {**VIDEOS, "OphNet2024_trimmed_phase/OphNet2024_loca_challenge_phase_trimmed.csv": TABLE, "x/notes.md": b""}
    data = write_tar(tmp_path / "whole.tar.gz", files).read_bytes()
    cut = len(data) // 4 + 1
    pieces = [data[at : at + cut] for at in range(0, len(data), cut)]
    part = {f"OphNet2024_trimmed_phase.tar.gz.{number:02d}": piece for number, piece in enumerate(pieces)}
    return part | {"OphNet2024_loca_all.csv": TABLE, "OphNet2024_all.tar.gz.00": b"other", "README.md": b""}


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def asked(published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A Hub of this machine, and what is asked of it."""
    found: list[dict[str, Any]] = []

    def dataset_info(*_: object, **__: object) -> SimpleNamespace:
        siblings = [SimpleNamespace(rfilename=name, size=len(data)) for name, data in published.items()]
        return SimpleNamespace(sha="c0ffee", siblings=siblings)

    def snapshot_download(repository: str, **given: Any) -> str:
        found.append({"repository": repository, **given})
        given["local_dir"].mkdir(parents=True, exist_ok=True)
        wanted = {name: published[name] for name in published if "trimmed_phase" in name or name.endswith(".csv")}
        put(given["local_dir"], wanted)
        put(given["local_dir"] / ".cache" / "huggingface", {f"{name}.metadata": b"" for name in wanted})
        return str(given["local_dir"])

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return found


def fetch(store: Path, archives: Path | None = None, said: Callable[[str], None] = print) -> str:
    return ophnet.fetch_into(store, part="trimmed_phase", archives=archives, on_progress=said)


def test_a_part_is_downloaded_and_unpacked_with_its_annotations(tmp_path: Path, asked: list[dict[str, Any]]) -> None:
    said: list[str] = []
    told = fetch(tmp_path, said=said.append)
    root = tmp_path / "data" / "ophnet-trimmed_phase"
    assert told == f"{root}: 3 videos. Use them with `--data ophnet={root}`."
    assert {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.mp4")} == VIDEOS
    assert len(list(root.rglob("*.csv"))) == 2
    assert said[0].startswith("ophnet: 5 files of 0.0 MiB below ")
    assert asked[0]["repository"] == "xioamiyh/OphNet2024"
    assert (asked[0]["repo_type"], asked[0]["revision"]) == ("dataset", "c0ffee")
    assert asked[0]["allow_patterns"] == ["*.csv", "*OphNet2024_trimmed_phase*"]
    assert [path.name for path in root.parent.iterdir()] == [root.name]
    assert fetch(tmp_path) == told
    assert len(asked) == 1


def test_archives_that_are_there_are_used_and_kept(tmp_path: Path, published: dict[str, bytes]) -> None:
    del published["OphNet2024_loca_all.csv"]
    archives = put(tmp_path / "archives", published)
    assert fetch(tmp_path / "store", archives).endswith("ophnet-trimmed_phase`.")
    assert {path.name for path in archives.iterdir()} == set(published)
    with pytest.raises(DataError, match=r"empty: holds no file OphNet2024_trimmed_phase\.tar\.gz\.\*\. Download"):
        fetch(tmp_path / "other", put(tmp_path / "empty", {"OphNet2024_all.tar.gz.00": b""}))


@pytest.mark.parametrize("absent", ["00", "01", "03"])
def test_a_piece_that_is_missing_is_one_clear_error_and_leaves_nothing(
    absent: str, tmp_path: Path, published: dict[str, bytes]
) -> None:
    del published[f"OphNet2024_trimmed_phase.tar.gz.{absent}"]
    with pytest.raises(DataError, match=r"phase\.tar\.gz\.\d\d and the 2 files after it are damaged or incomplete"):
        fetch(tmp_path / "store", put(tmp_path / "archives", published))
    assert list((tmp_path / "store" / "data").iterdir()) == []


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    write_tar(tmp_path / "a" / "OphNet2024_trimmed_phase.tar.gz", {}, links={"case_0001.mp4": "/etc/passwd"})
    (tmp_path / "a" / "OphNet2024_trimmed_phase.tar.gz").rename(tmp_path / "a" / "OphNet2024_trimmed_phase.tar.gz.00")
    with pytest.raises(DataError, match=r"case_0001\.mp4 is a link or a device and no file"):
        fetch(tmp_path / "store", tmp_path / "a")


@pytest.mark.usefixtures("asked")
def test_the_room_that_is_needed_is_told_before_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "GIB", 1)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=3))
    with pytest.raises(DataError, match=r"data: about \d+\.0 GiB are needed, and 3\.0 GiB are free"):
        fetch(tmp_path)


@pytest.mark.usefixtures("asked")
def test_a_download_that_fails_on_the_way_can_be_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(DataError, match=r"could not be downloaded: .*No space left .* is kept below .* resumes"):
        fetch(tmp_path)


def test_offline_another_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r"HF_HUB_OFFLINE is set, .*`hf download xioamiyh/OphNet2024 .*--archives DIR"):
        fetch(tmp_path)


def test_a_part_has_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--part: all \(1,969 whole videos, about 305 GB\), trimmed_operation"):
        ophnet.fetch_into(tmp_path, part=None, archives=None, on_progress=print)
    done = CliRunner().invoke(app, ["data", "fetch", "fluent", "--part", "all"])
    assert isinstance(done.exception, InputError)
