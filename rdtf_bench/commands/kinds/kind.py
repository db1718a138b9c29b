"""The five verbs that every kind of protocol has."""

from typing import Protocol, runtime_checkable

from rdtf_bench.commands.selection import Selection

ABOUT_TRAINED_ROWS = (
    "--with",
    "--method",
    "--pipeline",
    "--row",
    "--seeds",
    "--retrain",
    "--processes",
    "--shard-weights",
    "--memory",
    "--probe",
    "--workers",
    "--engine",
    "--address",
    "--with-weights",
    "--picture",
)
"""Options of `run` that do not apply to a protocol without trained rows."""


@runtime_checkable
class Kind(Protocol):
    """One kind of protocol. `name` is its key in spec/load, `heading` its title in `rdtf-bench list`."""

    @property
    def name(self) -> str:
        """Key of the kind in spec/load."""
        ...

    @property
    def heading(self) -> str:
        """Title of the kind in `rdtf-bench list`."""
        ...

    @property
    def refuses(self) -> tuple[str, ...]:
        """Options of `run` that do not apply to this kind. Giving one is an error."""
        ...

    def run(self, chosen: Selection, *, tracking_uri: str | None, quiet: bool) -> None:
        """Measure what the store does not hold yet, and print the result."""
        ...

    def show(self, chosen: Selection, *, format: str) -> None:
        """Print the result from the store, or else from the published results."""
        ...

    def plan(self, chosen: Selection) -> None:
        """List what is left to do, and how long it should take."""
        ...

    def publish(self, chosen: Selection) -> None:
        """Copy the records into results/, and write results/README.md anew."""
        ...

    def validate(self, protocol: str) -> None:
        """Read the protocol, look up every name in it and plan it; raise ProtocolError for what is wrong."""
        ...
