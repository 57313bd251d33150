"""A record of a diagnosis, made by hand."""

from semalign.settings import TransferSettings


def line(name, top_1, layer=2, read="target"):
    more = {"top_5": top_1 + 0.05, "kl": 2 - top_1}
    return {"read": read, "map": name, "layer": layer, "top_1": top_1, "low": top_1, "high": top_1} | more


def patch(name, layer, change, control=None):
    found = {"teacher_layer": layer + 1, "layer": layer, "strength": 0.5, "map": name, "change": change}
    found |= {"change_low": change - 0.1, "change_high": change + 0.1}
    if control is not None:
        found |= {"against_control": control, "against_control_low": control, "against_control_high": control}
    return found


def record(teacher="big", task="words", value=0.5):
    return {
        "method": "diagnose",
        "teacher": teacher,
        "student": "small",
        "task": task,
        "value": value,
        "configuration": TransferSettings().model_dump(mode="json"),
        "details": {
            "vocabulary": {"shared": 10, "teacher": {"coverage": 0.9}, "student": {"coverage": 0.75}},
            "correspondence": {
                "atoms": {"aligned": value, "permuted": 0.1, "low": 0.05, "high": 0.15},
                "head": {"aligned": 0.8},
            },
            "energy": {"semantic": {"first": 0.7, "directions": 3.0}},
            "readings": [
                line("student", 0.6, read="own"),
                line("width", 0.9, read="own"),
                line("semantic", 0.1, layer=1),
                line("semantic", 0.3),
                line("permuted", 0.02),
            ],
            "patches": [patch("semantic", 1, 0.2, 0.0), patch("semantic", 4, -0.25, -0.5), patch("zero", 4, 1.0)],
            "verdict": ["Atoms correspond.", "Run it."],
        },
    }
