"""Reads the files of votes that raters send, and refuses those that cannot be counted. No torch."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from rdtf_bench.core.errors import DataError, listed
from rdtf_bench.run.arena.study import Arena, Ballot, Study, Vote, find_arena
from rdtf_bench.spec.load import faults_in

Question = tuple[str, str]
"""The id of a clip, and the name of a criterion."""

NAMED = 3
"""Number of rankings of one file that a message names."""


@dataclass(frozen=True, kw_only=True)
class VotesFile:
    """The votes that one rater sent, and the file that holds them."""

    path: Path
    ballot: Ballot


def count_in(paths: Sequence[Path], *, arena: Arena | None, root: Path) -> Study:
    """Return the study of these files. Without an arena, that of the first file is looked for in the store.

    Raises DataError that names every file which cannot be counted, and why; StoreError if the arena is not there.
    """
    files: list[VotesFile] = []
    faults: list[str] = []
    for path in paths:
        try:
            files.append(VotesFile(path=path, ballot=_read(path)))
        except DataError as fault:
            faults.append(str(fault))
    counted = arena or (find_arena(_common_arena(files), root) if files else None)
    if counted is not None:
        faults += [f"{file.path}: {said}" for file in files for said in _faults(file.ballot, counted)]
    faults += _faults_of_raters(files)
    if faults or counted is None:
        raise DataError(f"Nothing was counted. Faults: {len(faults)}\n{listed(faults)}")
    return Study(arena=counted, ballots=tuple(file.ballot for file in files))


def _common_arena(files: Sequence[VotesFile]) -> str:
    """Return the arena that most files name."""
    return Counter(file.ballot.arena for file in files).most_common(1)[0][0]


def _read(path: Path) -> Ballot:
    try:
        return Ballot.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise DataError(f"{path}: cannot be read: {fault.strerror}. Name the files that raters exported.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not a text in UTF-8. Name the files that raters exported.") from None
    except ValidationError as fault:
        first, _, more = faults_in(fault).partition("; ")
        raise DataError(
            f"{path}: is not a file that the page of an arena exports: {first}{' and others' if more else ''}. Ask the "
            "rater to export it again."
        ) from None


def _faults(ballot: Ballot, arena: Arena) -> Iterator[str]:
    """Yield what keeps a ballot from being counted, each with what to do."""
    if ballot.arena != arena.id:
        yield (
            f"has votes of the arena {ballot.arena}, and those of {arena.id} are counted here. The clips, rows or "
            "criteria differ. Tally it apart."
        )
        return
    if not ballot.rater.strip():
        yield "rater: the name is empty. Write the rater's name into the file."
    for questions, said in _faulty_rankings(ballot, arena):
        if questions:
            yield f"{len(questions)} rankings {said}: {_named(questions)}."


def _faulty_rankings(ballot: Ballot, arena: Arena) -> Iterator[tuple[list[Question], str]]:
    """Yield the rankings that have a fault, as the clip's id and the criterion, for each kind of fault."""
    keys = {clip.id: set(clip.keys.values()) for clip in arena.clips}
    asked = [(clip.id, criterion.name) for clip in arena.clips for criterion in arena.criteria]
    given = Counter((vote.clip, vote.criterion) for vote in ballot.votes)
    missing = [question for question in asked if question not in given]
    yield missing, f"of {len(asked)} are missing. Ask {ballot.rater!r} to finish in the same browser. They are"
    again = "Ask the rater for a new export. They are"
    yield [question for question, count in given.items() if count > 1], f"stand twice. {again}"
    yield [question for question in given if question not in asked], f"are not asked for by this arena. {again}"
    rows = len(arena.rows)
    wrong = [vote for vote in ballot.votes if vote.clip in keys and not _is_ranking(vote, keys[vote.clip])]
    said = f"do not give each of the {rows} clips a rank from 1 to {rows}. {again}"
    yield [(vote.clip, vote.criterion) for vote in wrong], said


def _is_ranking(vote: Vote, keys: set[str]) -> bool:
    return set(vote.ranks) == keys and all(rank <= len(keys) for rank in vote.ranks.values())


def _faults_of_raters(files: Sequence[VotesFile]) -> Iterator[str]:
    first: dict[str, Path] = {}
    for file in files:
        rater = " ".join(file.ballot.rater.split()).casefold()
        if rater and rater in first:
            yield (
                f"{file.path}: is the second file of the rater {file.ballot.rater!r}, after {first[rater]}. Leave one "
                "out. If they are two persons, change the name in one file."
            )
        first.setdefault(rater, file.path)


def _named(questions: Sequence[Question]) -> str:
    shown = ", ".join(f"{clip} by {criterion}" for clip, criterion in questions[:NAMED])
    return f"{shown} and {len(questions) - NAMED} more" if len(questions) > NAMED else shown
