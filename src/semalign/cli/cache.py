"""The command that shows and clears what is kept in the cache folder."""

from collections.abc import Iterator
from typing import Annotated

import typer

from semalign import cache_folder
from semalign.cache_folder import KINDS, Entry
from semalign.cli.options import choice
from semalign.paths import cache_dir

STEP = 1024
UNITS = ("B", "KB", "MB", "GB", "TB")


def cache(
    action: Annotated[str, typer.Argument(metavar="[show|clear]", help="what to do")] = "show",
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="KIND", help="one kind; show: each entry; may be repeated")
    ] = None,
    older: Annotated[float, typer.Option(min=0, metavar="DAYS", help="what has not changed for so many days")] = 0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="clear: do not ask")] = False,
) -> None:
    """Show what is kept, with its size and age, or clear it. All of it can be made or fetched again.

    What another process of this machine uses stays.
    """
    choice(action, "show", "clear")
    for kind in only or ():
        choice(kind, *KINDS)
    found = [entry for entry in cache_folder.entries(only or KINDS) if entry.days >= older]
    typer.echo("\n".join([str(cache_dir()), *(_each(found) if only else _kinds(found)), _total(found)]))
    if action == "clear" and found:
        _clear(found, yes)


def _clear(found: list[Entry], yes: bool) -> None:
    if not yes:
        typer.confirm("Remove this?", abort=True)
    kept = [entry for entry in found if not cache_folder.remove(entry)]
    for entry in kept:
        typer.echo(f"kept, since a process uses it: {entry.path}")
    typer.echo(f"removed {len(found) - len(kept)} of {len(found)}")


def _kinds(found: list[Entry]) -> Iterator[str]:
    """Yield a line for each kind."""
    for kind in dict.fromkeys(entry.kind for entry in found):
        of_kind = [entry for entry in found if entry.kind == kind]
        days = [entry.days for entry in of_kind]
        age = f"{min(days):.0f} to {max(days):.0f} days old"
        yield f"{kind:12s}{len(of_kind):6d}{_size(of_kind):>10s}  {age:20s}{KINDS[kind]}"


def _each(found: list[Entry]) -> Iterator[str]:
    """Yield a line for each entry."""
    names = _models()
    for entry in found:
        place = entry.path.relative_to(cache_dir())
        yield f"{_size([entry]):>10s}{entry.days:6.0f} days old  {place}{_owner(entry, names)}"


def _owner(entry: Entry, names: dict[str, str]) -> str:
    """Return whose the entry is, for those that are named by a hash."""
    notes = cache_folder.notes_of(entry.path) if entry.kind == "states" else {"model": entry.path.stem}
    model = names.get(str(notes.get("model")))
    more = [f"{key} {notes[key]}" for key in ("layer", "interface") if key in notes]
    return f"  {', '.join([model, *more])}" if model else ""


def _models() -> dict[str, str]:
    """Return the names of the models on this machine whose identities are remembered."""
    from semalign.models.located import known_models
    from semalign.models.remembered import recalled

    found = {}
    for name in known_models():
        try:
            facts = recalled(name)
        except (OSError, ValueError):  # it is not here, or damaged
            continue
        if facts is not None:
            found[facts.identity] = name
    return found


def _total(found: list[Entry]) -> str:
    return f"{len(found)} entries, {_size(found)}" if found else "nothing is kept"


def _size(found: list[Entry]) -> str:
    size = float(sum(entry.size for entry in found))
    for unit in UNITS[:-1]:
        if size < STEP:
            return f"{size:.0f} {unit}"
        size /= STEP
    return f"{size:.1f} {UNITS[-1]}"
