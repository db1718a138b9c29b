import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from rdtf_bench.core.errors import DivergedError, Stopped
from rdtf_bench.core.method import OnStep, Training, TrainingClips
from rdtf_bench.core.store import Store
from rdtf_bench.run.progress import Report, Silent
from rdtf_bench.run.table import fit as fitting
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.finished import fit_facts, training_log
from rdtf_bench.spec.identities import FitIdentity
from rdtf_bench.spec.plan import Cell

NUM_STEPS = 4


class NoClips:
    ids: Sequence[str] = ()
    captions: Sequence[str] = ()
    shard_sizes: Sequence[int] = ()

    def frames(self, index: int, places: Sequence[int]) -> Tensor:
        raise AssertionError(index, places)

    def latents(self, index: int) -> Tensor:
        raise AssertionError(index)

    def keyframes(self, index: int) -> Sequence[int]:
        raise AssertionError(index)

    features = latents


def unused(self: object) -> None:
    raise AssertionError(f"a fit calls no such function of {type(self).__name__}")


class Counter:
    """A method whose weights are the number of steps; its checkpoint is a file of the steps so far."""

    generate = denoiser = denoiser_inputs = unused

    def __init__(
        self, dies_at: int | None = None, fault: BaseException | type[BaseException] = KeyboardInterrupt
    ) -> None:
        self.steps: list[int] = []
        self.loaded = ""
        self._dies_at, self._fault = dies_at, fault
        self.on_first_step: Callable[[], None] = lambda: None

    def fit(self, clips: TrainingClips, training: Training, *, folder: Path, on_step: OnStep) -> None:
        del clips
        checkpoint = folder / "steps"
        first = int(checkpoint.read_text()) if checkpoint.is_file() else 0
        for step in range(first, training.num_steps):
            if step == self._dies_at:
                raise self._fault
            self.steps.append(step)
            if len(self.steps) == 1:
                self.on_first_step()
            on_step(step, {"loss": 1.0 / (step + 1)})
            checkpoint.write_text(str(step))  # one step behind: resumed training repeats it

    def save(self, folder: Path) -> None:
        (folder / "weights.txt").write_text(f"{NUM_STEPS} steps")

    def load(self, folder: Path) -> None:
        self.loaded = (folder / "weights.txt").read_text()

    def parameter_counts(self) -> dict[str, int]:
        return {"total": 3}


Fitted = Callable[..., Counter]


@pytest.fixture
def identity(planned: tuple[Bench, list[Cell]]) -> FitIdentity:
    """Return the identity of a training of four steps."""
    fit = next(cell.fit for cell in planned[1] if cell.fit is not None)
    return fit.model_copy(update={"training": fit.training.model_copy(update={"num_steps": NUM_STEPS})})


@pytest.fixture
def fitted(identity: FitIdentity, monkeypatch: pytest.MonkeyPatch) -> Fitted:
    def call(store: Store, *methods: Counter) -> Counter:
        made = iter(methods)
        monkeypatch.setattr(fitting, "build", lambda *_: next(made))
        report = Report(Silent(), "job", "training")
        cpu = torch.device("cpu")
        if not store.has("fit", identity.key):
            fitting.train(identity, NoClips(), store=store, assets={}, device=cpu, report=report)
        found = fitting.fitted(identity, store=store, assets={}, device=cpu)
        assert isinstance(found, Counter)
        return found

    return call


def test_the_weights_are_those_of_the_store(fitted: Fitted, tmp_path: Path) -> None:
    store, trained, first, second = Store(tmp_path), Counter(), Counter(), Counter()
    assert fitted(store, trained, first) is first
    assert (trained.steps, first.steps, first.loaded) == ([0, 1, 2, 3], [], "4 steps")
    assert fitted(store, second) is second
    assert (second.steps, second.loaded) == ([], "4 steps")


def test_a_finished_training_leaves_weights_log_and_facts_and_no_checkpoints(
    fitted: Fitted, identity: FitIdentity, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    fitted(store, Counter(), Counter())
    folder = store.path("fit", identity.key)
    assert sorted(path.name for path in folder.iterdir()) == ["fit.json", "log.jsonl", "sha256.json", "weights"]
    assert [row["step"] for row in training_log(store, identity.key)] == [0, 1, 2, 3]
    assert fit_facts(store, identity.key).components == {"total": 3}
    assert json.loads((folder / "fit.json").read_text(encoding="utf-8"))["identity"] == identity.as_dict()


def test_a_training_that_diverges_leaves_its_log_and_no_weights(
    fitted: Fitted, identity: FitIdentity, tmp_path: Path
) -> None:
    store, fault = Store(tmp_path), DivergedError("its loss is not a finite number")
    said = f"{identity.method}: its training has diverged at step 3 of 4 and has left no weights"
    for methods in ([Counter(dies_at=3, fault=fault)], []):  # it is not tried again
        with pytest.raises(DivergedError, match=said):
            fitted(store, *methods)
    folder = store.path("fit", identity.key)
    assert sorted(path.name for path in folder.iterdir()) == ["fit.json", "log.jsonl", "sha256.json"]
    assert [row["step"] for row in training_log(store, identity.key)] == [0, 1, 2]


def test_a_row_that_trains_no_step_has_weights_and_an_empty_log(
    identity: FitIdentity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fitting, "build", lambda *_: Counter())
    untrained = identity.model_copy(update={"training": identity.training.model_copy(update={"num_steps": 0})})
    store, report = Store(tmp_path), Report(Silent(), "job", "training")
    fitting.train(untrained, NoClips(), store=store, assets={}, device=torch.device("cpu"), report=report)
    assert (store.path("fit", untrained.key) / "weights" / "weights.txt").is_file()
    assert training_log(store, untrained.key) == []


def test_a_training_that_gets_a_signal_ends_after_its_step(
    fitted: Fitted, identity: FitIdentity, tmp_path: Path
) -> None:
    store, method = Store(tmp_path), Counter()
    method.on_first_step = lambda: signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Stopped):
        fitted(store, method)
    assert method.steps == [0]
    assert not store.has("fit", identity.key)
    log = store.unfinished("fit", identity.key) / "log.jsonl"
    assert [json.loads(line)["step"] for line in log.read_text(encoding="utf-8").splitlines()] == [0]


def test_a_killed_training_goes_on_and_its_seconds_are_those_of_both_attempts(
    fitted: Fitted, identity: FitIdentity, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fitted(store, Counter(dies_at=3))
    log = store.unfinished("fit", identity.key) / "log.jsonl"
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    log.write_text("".join(json.dumps({**row, "elapsed_s": 100.0}) + "\n" for row in rows), encoding="utf-8")
    again = Counter()
    fitted(store, again, Counter())
    assert again.steps == [2, 3]
    logged = training_log(store, identity.key)
    assert [row["step"] for row in logged] == [0, 1, 2, 3]
    assert logged[-1]["elapsed_s"] >= 100.0
    assert fit_facts(store, identity.key).seconds >= 100.0


def test_a_training_that_was_killed_after_its_last_step_is_finished_without_training(
    fitted: Fitted, identity: FitIdentity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store, again = Store(tmp_path), Counter()

    def killed(fit: FitIdentity, store: Store) -> None:
        raise KeyboardInterrupt(fit, store)

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "_finish", killed)
        with pytest.raises(KeyboardInterrupt):
            fitted(store, Counter())
    assert (store.unfinished("fit", identity.key) / "checkpoints").is_dir()
    assert fitted(store, again) is again
    assert (again.steps, again.loaded) == ([], "4 steps")
    assert not (store.path("fit", identity.key) / "checkpoints").exists()


def test_a_log_that_a_full_disk_has_cut_goes_on(fitted: Fitted, identity: FitIdentity, tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fitted(store, Counter(dies_at=3))
    with (store.unfinished("fit", identity.key) / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write('{"step": 3, "elapsed_s"')
    fitted(store, Counter(), Counter())
    assert [row["step"] for row in training_log(store, identity.key)] == [0, 1, 2, 3]


def test_weights_are_rounded_to_half_precision_and_their_notes_stay(tmp_path: Path) -> None:
    tensors = {"weight": torch.tensor([1.0, 1 / 3]), "step": torch.tensor([7])}
    (tmp_path / "adapter").mkdir()
    for path in (tmp_path / "a.safetensors", tmp_path / "adapter" / "b.safetensors"):
        save_file(tensors, path, {"format": "pt"})
    fitting._round_to_half(tmp_path)
    for path in (tmp_path / "a.safetensors", tmp_path / "adapter" / "b.safetensors"):
        with safe_open(path, framework="pt") as file:
            assert file.metadata() == {"format": "pt"}
            assert torch.equal(file.get_tensor("weight"), tensors["weight"].half())
            assert torch.equal(file.get_tensor("step"), tensors["step"])
