"""What a user study consists of: an arena, the ballots of its raters, and where the store keeps both. No torch.

An arena is an entry `arenas/<id>/` of the store. Its id is a hash of everything that a rater sees, the pixels of all
clips included. The page for raters calls a clip by a key, which is a hash as well. Only the arena's file tells which
row made the clip of a key. The last tally of an arena is kept with its ballots in `votes/<id>.json`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import PositiveInt, ValidationError

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import Store, key_of, write_text
from rdtf_bench.spec.load import faults_in
from rdtf_bench.spec.schema import Criterion, Part

KIND, FILE, VOTES = "arenas", "arena.json", "votes"


class RankedClip(Part):
    """A test clip that raters see, and the key of each row's version of it."""

    id: str
    caption: str
    keys: dict[str, str]
    """The key by the row's label."""


class Arena(Part):
    """A user study as it is given to raters."""

    format: Literal[1]
    table: str
    scale: str
    dataset: str
    seed: int
    criteria: tuple[Criterion, ...]
    samples: dict[str, str]
    """The key of the clips of each row in the store, by the label of the row."""
    clips: tuple[RankedClip, ...]

    @property
    def id(self) -> str:
        """Return the key of everything that the arena shows."""
        return key_of(self.model_dump(mode="json"))

    @property
    def rows(self) -> list[str]:
        """Return the labels of the rows that are ranked."""
        return list(self.samples)


class Vote(Part):
    """The ranking of the rows for one clip by one criterion. Rank 1 is the best, and equal ranks are a tie."""

    clip: str
    criterion: str
    ranks: dict[str, PositiveInt]
    """The rank by the key of the clip."""


class Ballot(Part):
    """The votes of one rater, as the page exports them."""

    format: Literal[1]
    arena: str
    rater: str
    votes: tuple[Vote, ...]


class Study(Part):
    """An arena with the ballots of its last tally, each whole and of another rater."""

    arena: Arena
    ballots: tuple[Ballot, ...]

    @property
    def anonymous(self) -> "Study":
        """Return the study with numbers in place of the raters' names, in an order that does not depend on them."""
        ordered = sorted(self.ballots, key=lambda ballot: key_of(ballot.model_dump(mode="json")["votes"]))
        named = [ballot.model_copy(update={"rater": f"rater {i}"}) for i, ballot in enumerate(ordered, start=1)]
        return Study(arena=self.arena, ballots=tuple(named))


Content = TypeVar("Content", Arena, Study)


def keep_arena(arena: Arena, root: Path) -> Path:
    """Write an arena into the store, if it is not there, and return its file."""
    text = arena.model_dump_json(indent=1) + "\n"
    return Store(root).make(KIND, arena.id, lambda folder: write_text(folder / FILE, text)) / FILE


def keep_votes(study: Study, root: Path) -> Path:
    """Keep the ballots of a tally in place of those of the arena's last one, and return the file."""
    path = root / VOTES / f"{study.arena.id}.json"
    write_text(path, study.model_dump_json(indent=1) + "\n")
    return path


def read(content: type[Content], path: Path) -> Content:
    """Read an arena or a study. Raises StoreError for a file that is absent or that is none."""
    try:
        return content.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise StoreError(f"{path}: cannot be read: {fault.strerror}") from None
    except UnicodeDecodeError:
        raise StoreError(f"{path}: is not a text in UTF-8, and a file of an arena is needed here") from None
    except ValidationError as fault:
        wanted = "an arena, which `arena make`" if content is Arena else "a tally, which `arena tally`"
        first = faults_in(fault).partition("; ")[0]
        raise StoreError(f"{path}: is not the file of {wanted} writes into the store: {first}") from None


def find_arena(arena_id: str, root: Path) -> Arena:
    """Return the arena of this id in the store; StoreError if it is not there."""
    path = Store(root).path(KIND, arena_id) / FILE
    if not path.is_file():
        known = ", ".join(sorted(entry.name for entry in (root / KIND).glob("*"))) or "none"
        raise StoreError(
            f"{root}: there is no arena {arena_id}; it has {known}. Name the store in which it was made: --store DIR. "
            f"Or name its file: --arena FILE, which is {KIND}/{arena_id}/{FILE} in that store."
        )
    return read(Arena, path)


def arenas_of(samples: Mapping[str, str], root: Path) -> list[Arena]:
    """Return the arenas in the store that rank these rows, given by label and key of their clips, and perhaps more."""
    found = [read(Arena, path) for path in sorted((root / KIND).glob(f"*/{FILE}"))]
    return [arena for arena in found if _ranks(arena, samples)]


def study_of(samples: Mapping[str, str], folders: Iterable[Path]) -> Study | None:
    """Return the study of these rows with the most raters, from the first folder that has one; None without votes."""
    for folder in folders:
        found = [read(Study, path) for path in sorted(folder.glob("*.json"))]
        if ours := [study for study in found if _ranks(study.arena, samples)]:
            return max(ours, key=lambda study: (len(study.ballots), len(study.arena.clips), study.arena.id))
    return None


def _ranks(arena: Arena, samples: Mapping[str, str]) -> bool:
    return samples.items() <= arena.samples.items()
