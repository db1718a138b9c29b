from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from rdtf_bench.core.errors import DataError
from rdtf_bench.data import asg
from rdtf_bench.data.sources import disk, hub
from tests.data.sources.packing import write_parquet

COMMIT = "0123456789" * 4
Sticker = Callable[[str], bytes]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hub's client, which must not use the network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def put(cache: Path, files: Mapping[str, bytes], repository: str = "me/stickers") -> Path:
    """Write files as the client lays them out in its cache, and return the folder of the snapshot."""
    folder = cache / f"datasets--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "blobs").mkdir(exist_ok=True)
    for number, (name, data) in enumerate(files.items()):
        (folder / "blobs" / f"{number}").write_bytes(data)
        path = folder / "snapshots" / COMMIT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(folder / "blobs" / f"{number}")
    return folder / "snapshots" / COMMIT


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Callable[..., list[dict[str, Any]]]:
    """Publish files on a Hub of this machine, and return what is asked of it."""

    def publish(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []

        def dataset_info(_: object, repository: str, **given: object) -> SimpleNamespace:
            asked.append({"repository": repository, **given})
            siblings = [SimpleNamespace(rfilename=name, size=len(data)) for name, data in files.items()]
            return SimpleNamespace(sha=COMMIT, siblings=siblings)

        def snapshot_download(**given: Any) -> str:
            asked.append(given)
            chosen = [name for name in files if any(fnmatch(name, wanted) for wanted in given["allow_patterns"])]
            return str(put(cache, {name: files[name] for name in chosen}))

        monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
        return asked

    return publish


def test_of_a_packed_dataset_only_the_packed_files_are_downloaded(
    tmp_path: Path, online: Callable[..., list[dict[str, Any]]], sticker: Sticker
) -> None:
    data = write_parquet(tmp_path / "a.parquet", {"image": [sticker("a.gif")], "text": ["a cat"]}).read_bytes()
    asked = online({"README.md": b"", "preview.gif": sticker("b.gif"), "data/train-00000-of-00001.parquet": data})
    root = asg.prepare("hf:me/stickers@main", store=tmp_path / "store")
    assert [clip.caption for clip in asg.read(root).clips] == ["a cat"]
    assert root.parent == tmp_path / "store" / "data"
    info, download = asked
    assert info == {"repository": "me/stickers", "revision": "main", "files_metadata": True}
    assert (download["revision"], "*.gif" in download["allow_patterns"]) == ("main", False)
    assert hub.pinned("hf:me/stickers") == f"hf:me/stickers@{COMMIT}"


def test_a_dataset_of_loose_files_is_read_where_the_cache_holds_it(
    tmp_path: Path, online: Callable[..., list[dict[str, Any]]], sticker: Sticker
) -> None:
    rows = b'{"file_name": "a.GIF", "text": "a cat"}\n'
    online({"train/a.GIF": sticker("a.gif"), "train/metadata.jsonl": rows, "notes.pdf": b"%PDF"})
    root = asg.prepare("hf:me/stickers", store=tmp_path / "store")
    folder = asg.read(root)
    assert [clip.caption for clip in folder.clips] == ["a cat"]
    assert folder.other_kinds == {}


def test_a_dataset_of_other_files_and_a_disk_without_room_are_told_before_a_download(
    online: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = online({"images.zip": b"PK"})
    with pytest.raises(DataError, match=r"hf:me/x: holds no file that can be read.*images\.zip.*Download and unpack"):
        hub.download("hf:me/x")
    asked = online({"a.tar": b"1234"})
    monkeypatch.setattr(disk, "GIB", 1)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=3))
    with pytest.raises(DataError, match=r"hub: about 4\.0 GiB are needed, and 3\.0 GiB are free"):
        hub.download("hf:me/x")
    assert len(asked) == 1


def test_a_download_that_fails_on_the_way_can_be_resumed(
    online: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    online({"a.tar": b""})

    def fail(**_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(DataError, match=r"could not be downloaded: .*No space left.*Run the command again; it resumes"):
        hub.download("hf:me/x")


def test_offline_the_cache_is_used(tmp_path: Path, cache: Path, sticker: Sticker) -> None:
    data = write_parquet(tmp_path / "a.parquet", {"image": [sticker("a.gif")], "text": ["a cat"]}).read_bytes()
    root = put(cache, {"data/train.parquet": data, "preview.gif": sticker("b.gif")})
    for source in ("hf:me/stickers", "hf:me/stickers@main", f"hf:me/stickers@{COMMIT}"):
        assert hub.download(source) == hub.Snapshot(root=root, is_packed=True)
        assert hub.pinned(source) == f"hf:me/stickers@{COMMIT}"
    (clip,) = asg.read(asg.prepare("hf:me/stickers", store=tmp_path / "store")).clips
    assert clip.caption == "a cat"


def test_offline_a_part_of_a_dataset_is_not_taken_for_all_of_it(
    cache: Path, sticker: Sticker, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(cache, {"a.gif": sticker("a.gif")})

    def refuse(**given: Any) -> str:
        assert "*.gif" in given["allow_patterns"]
        raise errors.IncompleteSnapshotError("is incomplete", snapshot_path="")

    tree = [SimpleNamespace(path="a.gif"), SimpleNamespace(path="b.gif")]
    monkeypatch.setattr(huggingface_hub, "get_cached_repo_tree", lambda **_: tree)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(DataError, match=r"HF_HUB_OFFLINE is set, and not all of its files are there\. Unset it"):
        hub.download("hf:me/stickers")


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("hf:", "hf:: names no dataset. Write hf:owner/name"),
        ("hf:a/b/c", r"hf:a/b/c: Repo id .* Write hf:owner/name, or hf:owner/name@revision"),
        ("hf:me/x", r"hf:me/x: HF_HUB_OFFLINE is set, .* `hf download me/x --repo-type dataset --local-dir DIR`"),
    ],
)
def test_what_cannot_be_had_is_one_clear_error(source: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        hub.download(source)


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (
            "GatedRepoError",
            "hf:me/x@v1: is gated. Accept its terms on .*/datasets/me/x, and log in with `hf auth",
        ),
        ("RepositoryNotFoundError", "hf:me/x@v1: there is no such dataset, or it is private. Check the id on"),
        ("RevisionNotFoundError", "hf:me/x@v1: has no revision 'v1'. Its branches and commits are on"),
        ("HfHubHTTPError", r"the Hub cannot be reached \(503 busy\), and not all of its files are"),
        ("HTTPError", r"the Hub cannot be reached \(503 busy\)"),
    ],
)
def test_what_the_hub_refuses_is_one_clear_error(kind: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        fault = getattr(errors, kind)
        answer = {} if kind == "HTTPError" else {"response": SimpleNamespace(headers={}, request=None)}
        raise fault("503 busy", **answer)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    with pytest.raises(DataError, match=says):
        hub.download("hf:me/x@v1")
