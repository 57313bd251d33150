"""One transfer of a profile, measured on the held-out rows of its task: what comparisons, sweeps and curves run."""

from typing import Any

from semalign.experiments.inputs import held_out_hash, held_out_rows, source_once, training_rows
from semalign.experiments.made_from import HELD_OUT
from semalign.experiments.profiles import Profile
from semalign.methods.runner import TransferResult, run_method


def measured_transfer(
    profile: Profile, teacher: str, task: str, entry: str, settings: dict[str, Any], **more: Any
) -> TransferResult:
    """Return the transfer of an entry; its record says which rows it was measured on, if there were any.

    Args:
        profile: the profile.
        teacher: name of the larger model.
        task: a task of the profile.
        entry: a method or variant.
        settings: all settings, with the seed.
        **more: further arguments of :func:`semalign.methods.runner.run_method`.
    """
    large, small, rows = source_once(teacher), source_once(profile.student), training_rows(profile, task)
    held_out, split = held_out_rows(profile, task)
    measured: dict[str, Any] = {"validation": held_out or None, "task": task, **more, **settings}
    result = run_method(profile.method_of(entry), large, small, rows, **measured)
    if held_out:
        result.record["details"]["held_out"]["split"] = split
        result.record["configuration"][HELD_OUT] = held_out_hash(profile, task)
    return result
