"""The held-out NLL of a student as it is, row by row, to which a training is compared."""

from semalign.experiments.inputs import held_out_rows, source_once
from semalign.experiments.profiles import Profile
from semalign.models.architecture import Architecture
from semalign.training.finetuning import row_nll


def student_rows(profile: Profile, task: str) -> list[float]:
    """Return the response NLL of each held-out row of a task by the profile's student, in nats a token."""
    source = source_once(profile.student)
    examples = source.outline.encode(held_out_rows(profile, task)[0])
    summed = row_nll(Architecture(source.load().model), examples)
    source.release()
    return [nll / len(example.positions()) for nll, example in zip(summed, examples, strict=True)]
