"""Kinds of protocol: what each command does for a table, a set, costs, a sheet, a validity protocol, a figure, a study.

A command looks a protocol's kind up once, with `kind_of`, and calls one of its verbs. May import everything below
commands/, inside functions, so that `--help` stays fast.
"""

from rdtf_bench.commands.kinds.arena import Arenas
from rdtf_bench.commands.kinds.costs import Costs
from rdtf_bench.commands.kinds.figure import Figures
from rdtf_bench.commands.kinds.kind import Kind
from rdtf_bench.commands.kinds.sheet import Sheets
from rdtf_bench.commands.kinds.table import Sets, Tables
from rdtf_bench.commands.kinds.validity import Validities
from rdtf_bench.commands.selection import Selection
from rdtf_bench.core.errors import ProtocolError

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (Tables(), Sets(), Costs(), Sheets(), Validities(), Figures(), Arenas())
}


def kind_of(protocol: str) -> Kind:
    """Return the kind of a protocol that is given by name or by path; UnknownNameError where there is none."""
    from rdtf_bench.spec import load

    return KINDS[load.kind_of(protocol)]


def kind_for(chosen: Selection) -> Kind:
    """Return the kind of the selected protocol; ProtocolError for options that do not apply to it."""
    kind = kind_of(chosen.protocol)
    given = chosen.row_options()
    if flags := [flag for flag in kind.refuses if given[flag]]:
        raise ProtocolError(
            f"{chosen.protocol}: {', '.join(flags)} cannot be given here: this protocol "
            f"{'reads no data' if flags == ['--data'] else 'trains no rows'}. Leave it out."
        )
    return kind
