"""A profile that runs in seconds."""

import yaml

from semalign.experiments.profiles import Profile, load_profile

FAST = {"rank": 2, "batch_size": 4, "attribution_examples": 2}


def write_profile(folder, **changes):
    content = {
        "teacher": str(folder / "teacher"),
        "student": str(folder / "student"),
        "teachers": {str(folder / "coder"): ["micro_gsm8k"]},
        "tasks": {"micro_gsm8k": {"epochs": 1, "train_size": 6}},
        "transfer": FAST,
        "variants": {"entropy": {"all": {"output_loss": "cross_entropy"}}},
        "seeds": [0, 1],
        "evaluation": {"limit": 4, "batch_size": 4},
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({**content, **changes}))
    return load_profile(path)


def with_own_task(profile: Profile) -> Profile:
    """Return a profile whose one task is a file of the user's own, which records call ``arithmetic``."""
    sizes = next(iter(profile.tasks.values()))
    return profile.model_copy(update={"tasks": {"somewhere/arithmetic.yaml": sizes}, "teachers": {}})
