"""What made the numbers of a table: facts that all rows share, and those that differ between rows. No torch."""

from collections.abc import Iterator, Mapping, Sequence

from rdtf_bench.report import layouts
from rdtf_bench.report.table import footer
from rdtf_bench.run.record import Record

Facts = dict[str, str]


def facts(record: Record) -> Facts:
    """Return the facts of a record as words, by name; what a record does not state is left out."""
    environment = record.environment
    dirty = environment.get("dirty_files")
    named: dict[str, object] = {
        "command": record.command,
        "commit": environment.get("commit"),
        "changed files": None if dirty is None else ", ".join(dirty) or "none",
        "protocol": f"{record.protocol}, version {record.protocol_version}",
        "scale": f"{record.scale}, version {record.scale_version}",
        "data": footer.data(record.dataset, record.data),
        **dict(_fingerprints(record)),
        "seed": record.seed,
        "rdtf-bench": environment.get("rdtf_bench"),
        "Python": environment.get("python"),
        "packages": _packages(environment.get("packages")),
        "platform": environment.get("platform"),
        "processor": environment.get("processor"),
        "cores": environment.get("cores"),
        "device": environment.get("gpu") or environment.get("device"),
        "driver": environment.get("driver"),
        "CUDA": environment.get("cuda"),
        "threads of a worker": environment.get("threads_per_worker"),
        "processes of a training": record.num_processes,
        "made": record.created,
        "SHA-256 of the clips": record.samples_sha256,
        "record": f"{record.cell_id}.json",
    }
    return {name: str(value) for name, value in named.items() if value is not None}


def tables(records: Mapping[str, Record]) -> list[layouts.Table]:
    """Return a table of the facts that are equal wherever a row has them, and one of the others; by the row's name."""
    found = {row: facts(record) for row, record in records.items()}
    names = list(dict.fromkeys(name for of in found.values() for name in of))
    shared = [name for name in names if len({of[name] for of in found.values() if name in of}) == 1]
    same = [[name, next(of[name] for of in found.values() if name in of)] for name in shared]
    made = [layouts.Table(heading="The same for every row", head=["fact", "value"], groups=[same], align="ll")]
    differing = [name for name in names if name not in shared]
    return [*made, _by_row(found, differing)] if differing else made


def _by_row(found: Mapping[str, Facts], names: Sequence[str]) -> layouts.Table:
    rows = [[name, row, of[name]] for name in names for row, of in found.items() if name in of]
    groups = [[row for row in rows if row[0] == name] for name in names]
    return layouts.Table(heading="Different between rows", head=["fact", "row", "value"], groups=groups, align="lll")


def _fingerprints(record: Record) -> Iterator[tuple[str, object]]:
    """Yield the fingerprints of the clips and the digests of the frozen networks, from the record's identities."""
    fit, sample = record.config.get("fit") or {}, record.config.get("sample") or {}
    yield "fingerprint of the training clips", (fit.get("data") or {}).get("train")
    yield "fingerprint of the test clips", (sample.get("real") or {}).get("clips")
    networks = dict(fit.get("assets") or {})
    for score in (record.config.get("scores") or {}).values():
        networks |= score.get("assets") or {}
    for role, digest in sorted(networks.items()):
        yield f"weights of {role}", digest


def _packages(versions: object) -> str | None:
    if not isinstance(versions, Mapping):
        return None
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
