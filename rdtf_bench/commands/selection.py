"""What the options of a command select, as one value that travels through the commands."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rdtf_bench.commands.options import DEFAULT_STORE, results_folder

if TYPE_CHECKING:  # for the annotations alone: `--help` reads no schema
    from rdtf_bench.run.table.context import External
    from rdtf_bench.spec.scale import Scale


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A protocol with the scale, data, store and further rows to take it with.

    `protocol` and `scale_name` are names, or paths of YAML files. `seeds` is None where the protocol's own count.
    An option that can be repeated is None where it was not given, as Typer has it.
    """

    protocol: str
    scale_name: str | None = None  # None: the protocol's own
    data: Sequence[str] | None = None
    store: Path = DEFAULT_STORE
    clips: Sequence[str] | None = None
    methods: Sequence[str] | None = None
    pipelines: Sequence[str] | None = None
    rows: Sequence[str] | None = None  # None: all
    seeds: int | None = None
    skip_broken: bool = False
    retrain: bool = False
    processes: int = 1
    shard_weights: bool = False
    memory: bool = False
    probe: bool = False
    workers: int | None = None  # None: as many as the scale says
    engine: str = "local"
    address: str | None = None
    with_weights: bool = False
    picture: Path | None = None
    results_dir: Path | None = None  # None: that of `results_folder`

    def __post_init__(self) -> None:
        if self.shard_weights and self.processes == 1:
            from rdtf_bench.core.errors import ProtocolError

            raise ProtocolError(
                "--shard-weights: a row is trained by one process, which has no other to share its weights with. Give "
                "--processes 2 or more as well, or leave --shard-weights out"
            )

    @property
    def scale(self) -> "Scale":
        """Return the named scale, or the default scale of the protocol, with the number of workers that was given."""
        from rdtf_bench.run.protocols import default_scale, load_scale

        scale = load_scale(self.scale_name or default_scale(self.protocol))
        return scale if self.workers is None else scale.model_copy(update={"workers": self.workers})

    @property
    def results(self) -> Path:
        """Return the folder of published results."""
        return self.results_dir or results_folder()

    def source_of(self, dataset: str) -> str | None:
        """Return the source that --data names for this dataset; None stands for the built-in data."""
        from rdtf_bench.run.inputs.datasets import parse_data_options

        return parse_data_options(self.data or ()).get(dataset)

    def external(self) -> "dict[str, External]":
        """Return the rows that --with and --pipeline add, by label."""
        from rdtf_bench.core.errors import ProtocolError
        from rdtf_bench.run.table.external import clips, pipelines

        made = clips.read(self.clips or ())
        others = pipelines.read(self.pipelines or (), self.store / "data" / "indexes")
        if twice := sorted(made.keys() & others.keys()):
            raise ProtocolError(f"--with and --pipeline both name a row {twice[0]!r}: give one of them another name")
        return {**made, **others}

    @property
    def options(self) -> list[str]:
        """Return the options with which a further command takes the same table, besides its scale and --results."""
        given = {"--data": self.data, "--with": self.clips, "--method": self.methods, "--pipeline": self.pipelines}
        return [
            *(word for option, values in given.items() for value in values or () for word in (option, value)),
            *(() if self.seeds is None else ("--seeds", str(self.seeds))),
            *(() if self.store == DEFAULT_STORE else ("--store", str(self.store))),
        ]

    def row_options(self) -> dict[str, object]:
        """Return the options that do not apply to every kind of protocol, each with what was given for it."""
        return {
            "--data": self.data,
            "--with": self.clips,
            "--method": self.methods,
            "--pipeline": self.pipelines,
            "--row": self.rows,
            "--seeds": self.seeds,
            "--retrain": self.retrain,
            "--processes": self.processes > 1,
            "--shard-weights": self.shard_weights,
            "--memory": self.memory,
            "--probe": self.probe,
            "--workers": self.workers,
            "--engine": self.engine != "local",
            "--address": self.address,
            "--with-weights": self.with_weights,
            "--picture": self.picture,
        }
