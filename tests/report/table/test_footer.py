"""The notes below a table: what a reader must know, and nothing else."""

from collections.abc import Callable
from dataclasses import replace

from rdtf_bench.run.record import Record
from rdtf_bench.spec.identities import PipelineIdentity, PipelineSamples, TrainedSamples
from rdtf_bench.spec.load import load_scale
from rdtf_bench.spec.pipeline import PipelineSettings
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.schema import TableSpec

Show = Callable[..., str]


def test_the_footer_counts_what_was_trained_and_discarded_too(
    show: Show, cells: list[Cell], records: dict[str, Record]
) -> None:
    tuned = next(cell for cell in cells if cell.method == "customize_a_video")
    records[tuned.id].components["absorber"] = 4_321
    assert "Customize-A-Video: trained for it2v" in show("md")
    assert show("md").count("61,234 trainable parameters and 4,321 of the absorber") == 1


def test_the_footer_names_sizes_budgets_data_and_the_intervals_meaning(show: Show) -> None:
    text = show("md")
    scale = load_scale("tiny")
    budget, rdtf, simda = scale.training, scale.methods["rdtf"], scale.methods["simda"]
    guided = f"guidance {rdtf.guidance_text:g} (text) {rdtf.guidance_image:g} (image)"
    for fact in (
        "clips of 8 frames at 64x64 px",
        f"trained for {budget.num_steps} steps at batch size {budget.batch_size} and sampled with "
        f"{scale.sampling.num_steps} DDIM steps. Weights, data order and noise are drawn from seed 0.",
        f"learning rate {rdtf.learning_rate:g}, eta {rdtf.eta:g}, {guided}, 3 passes of the denoiser a step, "
        "61,234 trainable parameters",
        f"SimDA: trained for it2v, learning rate {simda.learning_rate:g}, eta {simda.eta:g}, guidance 1 (text), ",
        "± 1.96 standard deviations of the delete-a-group jackknife, for the expected value at n = 128 test clips. "
        "Each method was trained with one seed",
        "compare rows with each other and not our columns with the paper's",
        "source toy; in use: train 640, validation 128, test 128",
        "left out short: validation 2, test 3.",
        "FVD better: Customize-A-Video, I2V-Adapter, SimDA, RDTF.",
        "VQA worse: Customize-A-Video, I2V-Adapter, SimDA, RDTF.",
    ):
        assert fact in text
    assert "0123456789abcdef" not in text
    assert "WARNING" not in text


def test_few_clips_are_warned_about_first(show: Show, records: dict[str, Record]) -> None:
    for record in records.values():
        for metric, score in record.scores.items():
            if score.without_group:
                record.scores[metric] = replace(score, n=65)
    notes = [line for line in show("md").splitlines() if line.startswith("- ")]
    assert notes[1].startswith("- WARNING: only 65 clips. Below 128")


def test_rows_that_sample_with_different_eta_are_named(show: Show, cells: list[Cell]) -> None:
    assert "different eta" not in show("md")
    first = cells[0]
    assert isinstance(first.sample, TrainedSamples)
    sampler = first.sample.sampler.model_copy(update={"eta": 0.5})
    changed = replace(first, sample=first.sample.model_copy(update={"sampler": sampler}))
    text = show("md", planned=[changed, *cells[1:]])
    assert f"The rows sample with different eta (0.5: {first.label}; 1: " in text


def test_a_row_with_steps_of_its_own_says_so(show: Show, cells: list[Cell]) -> None:
    assert "instead of" not in show("md")
    untrained = cells[0].trained.training.model_copy(update={"num_steps": 0})
    changed = replace(cells[0], fit=cells[0].trained.model_copy(update={"training": untrained}))
    text = show("md", planned=[changed, *cells[1:]])
    assert text.count("0 training steps instead of 400") == 1


def test_other_real_clips_are_called_no_floor_and_their_split_is_named(show: Show, cells: list[Cell]) -> None:
    said = "other real clips: 128 real clips of the validation split against the test clips. This is no floor"
    assert said in show("md")
    assert said not in show("md", planned=cells[:-1])


def test_several_seeds_are_in_the_intervals_and_a_missing_one_is_named(
    show: Show, spec: TableSpec, plan_of: Callable[[TableSpec], list[Cell]], measure: Callable[..., dict[str, Record]]
) -> None:
    seeded = spec.model_copy(update={"seeds": (0, 1)})
    planned = plan_of(seeded)
    of = measure(planned)
    gone = next(cell for cell in planned if cell.label == "RDTF" and cell.seed == 1)
    del of[gone.id]
    text = show("md", table=seeded, planned=planned, of=of)
    assert "Values are means over 2 seeds, ± their standard deviation" in text
    assert "RDTF, FVD: 1 of 2 seeds have a value." in text
    assert "SimDA, FVD: " not in text


def test_a_row_whose_training_has_diverged_is_no_gap_and_says_why(
    show: Show, cells: list[Cell], records: dict[str, Record]
) -> None:
    lost = next(cell for cell in cells if cell.label == "SimDA")
    records[lost.id] = replace(records[lost.id], scores={}, diverged_at_step=724)
    text = show("md")
    assert next(line for line in text.splitlines() if line.startswith("| SimDA |")).count("| diverged |") == 5
    assert "SimDA: its training has diverged. At step 724 its loss is not a finite number" in text
    assert "not run" not in text


def test_a_setting_that_has_diverged_counts_as_tried(
    show: Show, spec: TableSpec, cells: list[Cell], records: dict[str, Record]
) -> None:
    tried = spec.model_copy(update={"scored": "validation"})
    first, second = (cell for cell in cells if cell.label in ("SimDA", "RDTF"))
    planned = [replace(first, method="rdtf") if cell is first else cell for cell in cells]
    assert f"{second.method}" == "rdtf"
    records[first.id] = replace(records[first.id], scores={}, diverged_at_step=724)
    assert "RDTF (of 2)" in show("md", table=tried, planned=planned)


def test_a_pipeline_says_what_it_saw_and_with_what_it_was_called(
    show: Show, cells: list[Cell], records: dict[str, Record]
) -> None:
    first = cells[0]
    pipeline = PipelineIdentity(pipeline="f00d", pipeline_class="P", settings=PipelineSettings())
    sample = PipelineSamples(
        **{name: getattr(pipeline, name) for name in PipelineIdentity.model_fields},
        version=1,
        task="it2v",
        known_frames="keep",
        real=first.sample.real,
        num_steps=2,
        seed=0,
    )
    cell = replace(first, kind="external", fit=None, sample=sample)
    facts = {"diffusers": "0.42", "call": {"height": 64, "output_type": "np"}, "sees_caption": False}
    record = replace(records[first.id], config={"pipeline": facts}, stage_seconds={"sample": 7.2})
    text = show("md", planned=[cell, *cells[1:]], of={**records, cell.id: record})
    assert (
        f"{cell.label}: P with weights that were trained elsewhere (files f00d). It saw the first frame and no caption "
        "of each clip. It was called by diffusers 0.42 with height 64. Its clips took 7 s."
    ) in text


def test_yardsticks_are_those_of_the_tables_own_metrics(
    show: Show, spec: TableSpec, cells: list[Cell], records: dict[str, Record]
) -> None:
    for record in records.values():
        for metric, score in record.scores.items():
            record.scores[metric] = replace(score, name=f"{metric}[in full]")
    assert "Yardsticks: fvd[in full]; vqa[in full]; clip[in full]; " in show("md")
    without_clip = spec.model_copy(update={"metrics": ("fvd", "vqa")})
    planned = [replace(cell, scores={name: cell.scores[name] for name in ("fvd", "vqa")}) for cell in cells[:4]]
    text = show("md", table=without_clip, planned=planned, of={cell.id: records[cell.id] for cell in planned})
    assert "Yardsticks: fvd[in full]; vqa[in full]. " in text
