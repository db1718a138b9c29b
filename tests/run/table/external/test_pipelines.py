import json
from pathlib import Path

import pytest

from rdtf_bench.core.errors import AssetError, ProtocolError
from rdtf_bench.core.store import Store
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.progress import Silent
from rdtf_bench.run.table import context as benches
from rdtf_bench.run.table import work
from rdtf_bench.run.table.external import pipelines
from rdtf_bench.run.table.finished import pipeline_facts, score_of
from rdtf_bench.run.table.sample import read_samples
from rdtf_bench.spec.identities import PipelineSamples
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.schema import ClipShape
from tests import tiny_pipelines

INDEX = {"_class_name": "P", "_diffusers_version": "1", "unet": ["diffusers", "U"], "encoder": [None, None]}


def write(folder: Path, index: object = INDEX) -> Path:
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "weights").write_text("1")
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def test_the_identity_is_of_the_files_that_are_loaded(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine")
    (found,) = pipelines.read([str(folder)]).items()
    label, first = found
    assert (label, first.identity.pipeline_class) == ("mine", "P")
    (folder / "README.md").write_text("words")
    moved = folder.rename(tmp_path / "other")
    (same,) = pipelines.read([str(moved)]).values()
    assert same.identity == first.identity
    (moved / "unet" / "weights").write_text("2")
    (changed,) = pipelines.read([str(moved)]).values()
    assert changed.identity.pipeline != first.identity.pipeline


def test_a_file_says_what_differs_and_its_path_is_relative_to_it(tmp_path: Path) -> None:
    write(tmp_path / "mine")
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\ntitle: My model\npath: mine\nnum_frames: 14\ncall: {guidance_scale: 2.5, text: null}\n"
    )
    (found,) = pipelines.read([str(file)]).items()
    assert found[0] == "My model"
    assert found[1].folder == (tmp_path / "mine").resolve()
    assert found[1].identity.settings.num_frames == 14
    assert found[1].identity.settings.call == {"guidance_scale": 2.5, "text": None}


def test_two_rows_of_one_name_are_refused(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a" / "mine"), write(tmp_path / "b" / "mine")
    with pytest.raises(ProtocolError, match="gives two rows the name 'mine': give one another title, in a YAML file"):
        pipelines.read([str(one), str(other)])


@pytest.mark.parametrize(
    ("index", "fault"),
    [
        ({**INDEX, "vae": ["diffusers", "V"]}, "lists the part 'vae', and there is no such folder, or it is empty"),
        ({**INDEX, "_class_name": ["own", "Own"]}, "is code of its own, .* Make its clips yourself and add them"),
        ([], "is damaged"),
    ],
)
def test_a_folder_that_is_no_whole_pipeline_is_refused(index: object, fault: str, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=fault):
        pipelines.read([str(write(tmp_path / "mine", index))])


def test_a_name_that_is_not_here_says_how_to_fetch_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(AssetError, match="Fetch it first: hf download owner/name --revision main"):
        pipelines.read(["owner/name@main"])
    with pytest.raises(AssetError, match=r"there is no folder 'absent/folder/deep'\. Name a folder"):
        pipelines.read(["./absent/folder/deep"])
    (tmp_path / "clips").mkdir()
    with pytest.raises(AssetError, match=r"holds no model_index\.json, .* It holds: nothing"):
        pipelines.read(["clips"])


@pytest.mark.slow
def test_a_pipeline_is_sampled_scored_and_counted_as_a_row(stickers: str, tmp_path: Path) -> None:
    table = load_protocol("table1").model_copy(update={"rows": (), "controls": (), "metrics": ("vqa", "params")})
    scale = load_scale("ci")
    scale = scale.model_copy(
        update={
            "clip": ClipShape(num_frames=4, size_px=32),
            "sampling": scale.sampling.model_copy(update={"num_steps": 1}),
        }
    )
    rows = pipelines.read([str(tiny_pipelines.save_ltx(tmp_path / "ltx"))])
    store = Store(tmp_path / "store")
    data = datasets.read("asg", stickers, scale.data, 4, store=store.root, skip_broken=False)
    assets = benches.find_assets(scale)
    spec = table.model_copy(update={"seeds": (0, 1)})
    cell, other = benches.plan_cells(spec, scale, data.identity, assets, rows)
    assert isinstance(cell.sample, PipelineSamples)
    assert (cell.label, cell.kind, set(cell.scores)) == ("ltx", "external", {"vqa", "params"})
    assert cell.id != other.id
    bench = benches.make_bench((), scale, data, assets, store, rows)
    work.check(bench, Silent(), "check", [cell])
    work.prepare_real(bench, Silent(), "real")
    work.sample_pipeline(bench, Silent(), "sample ltx", cell, 0)
    work.score_cell(bench, Silent(), "score ltx", cell)
    assert read_samples(store.path("samples", cell.sample_key)).shape == (50, 4, 3, 32, 32)
    facts = pipeline_facts(store, cell.sample_key)
    assert facts["call"] == {
        "height": 32,
        "width": 32,
        "num_frames": 5,
        "num_inference_steps": 1,
        "output_type": "np",
    }
    assert score_of(store, cell.score_key("params")).value == facts["components"]["total"]
    assert score_of(store, cell.score_key("vqa")).n == 50
