"""Messages about many faults, and about names that nobody knows; and faults of the disk."""

import errno
import os
import pickle
from pathlib import Path

from safetensors import SafetensorError

from rdtf_bench.core.errors import is_disk_full, listed, unknown_name
from rdtf_bench.data.reading.media import NoAnimation
from rdtf_bench.spec.document import Fault, FaultyFileError, Line


def test_of_many_faults_five_are_named_and_the_others_counted() -> None:
    lines = [f"clip {number}" for number in range(1_234)]
    assert listed(lines[:5]).splitlines() == [f"  clip {number}" for number in range(5)]
    assert listed(lines).splitlines()[4:] == ["  clip 4", "  ... and 1,229 more"]


def test_an_unknown_name_gets_a_close_match_only_where_there_is_one() -> None:
    assert str(unknown_name("metric", "fwd", ["fvd", "vqa"])) == (
        "there is no metric 'fwd'. Did you mean 'fvd'? Known: fvd, vqa."
    )
    assert "Did you mean" not in str(unknown_name("metric", "x", ["fvd", "vqa"]))


def test_a_full_disk_is_known_whatever_a_library_makes_of_it() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    torchs = RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 704 vs 598")
    assert not is_disk_full(torchs)
    torchs.__context__ = full
    assert is_disk_full(full)
    assert is_disk_full(torchs)
    assert is_disk_full(SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"))
    assert not is_disk_full(OSError(errno.EACCES, os.strerror(errno.EACCES)))


def test_errors_cross_from_process_to_process_whatever_their_constructors_take() -> None:
    file = Path("a.yaml")
    for error in (
        NoAnimation(Path("a.mp4"), "is cut off"),
        FaultyFileError(file, [Fault(Line(file, 3), ("metrics",), "is empty")]),
    ):
        error.add_note("in shard 3")
        crossed = pickle.loads(pickle.dumps(error))
        assert type(crossed) is type(error)
        assert (str(crossed), vars(crossed)) == (str(error), vars(error))
