"""Collect the rows of a sheet: hyperparameters here, in the paper and in the released code, or condition masks."""

from rdtf_bench.assets import registry
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.diffusion.masks import TASKS
from rdtf_bench.run.build.modules import typed_config
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import Sheet

SheetRow = dict[str, str]


def rows(sheet: Sheet, scale: Scale) -> list[SheetRow]:
    """Return one dictionary per row, all with the same keys."""
    if sheet.settings:
        config = typed_config("method", sheet.method, scale.methods[sheet.method].options, f"scale {scale.name}")
        return [
            {
                "hyperparameter": setting.label,
                f"here ({scale.name})": _words(_in_force(setting.here, config, scale, sheet.name)),
                "paper": setting.paper,
                "released code": setting.released,
            }
            for setting in sheet.settings
        ]
    return _masks(sheet, scale.clip.num_frames)


def _in_force(here: str, config: object, scale: Scale, sheet: str) -> object:
    kind, _, place = here.partition(" ")
    try:
        match kind:
            case "option":
                return getattr(config, place)
            case "scale":
                found: object = scale
                for name in place.split("."):
                    found = found[name] if isinstance(found, dict) else getattr(found, name)
                return found
            case "asset":
                role, name = place.split()
                return registry.find(scale.assets[role]).config()[name]
    except (AttributeError, KeyError) as fault:
        raise ProtocolError(f"{sheet}.yaml: settings: {here!r}: there is no {fault}") from None
    return place


def _words(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(_words, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _masks(sheet: Sheet, num_frames: int) -> list[SheetRow]:
    printed = {(mask.family, mask.text, mask.known): mask.source for mask in sheet.printed}
    found = []
    for name, task in TASKS.items():
        evaluated = task.evaluated(num_frames)
        for known in dict.fromkeys((*task.trained(num_frames), *evaluated)):
            mask = "".join(map(str, known))
            found.append(
                {
                    "task": name,
                    "family": task.family,
                    "text": "yes" if task.uses_text else "no",
                    "known frames": mask,
                    "unknown": str(len(known) - sum(known)),
                    "evaluated": "yes" if known in evaluated else "no",
                    "paper": printed.get((task.family, task.uses_text, mask), "not printed"),
                }
            )
    return found
