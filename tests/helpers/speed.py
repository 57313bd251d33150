"""Records of speed with numbers made by hand."""

import pandas as pd

PROFILES = pd.DataFrame(
    [
        {"step": "The basis", "size": "width 64", "code": code, "commit": commit} | {"operation": name} | numbers
        for code, commit, name, numbers in [
            ("before", 111, "aten::mm", {"seconds": 3.0, "calls": 1200}),
            ("before", 111, "between operations", {"seconds": 1.0, "calls": 0}),
            ("after", 222, "aten::mm", {"seconds": 1.5, "calls": 600}),
            ("after", 222, "aten::add", {"seconds": 0.25, "calls": 7}),
        ]
    ]
)


def side(median, memory=200_000_000):
    return {"median": median, "q1": median, "q3": median, "rounds": 5, "memory": memory}


def speed_record(run=1, ratio=3.0, name="basis", limit=0.5, memory=200_000_000):
    sizes = [
        {
            "size": {"vocabulary": 1000 * k, "width": 64},
            "ours": side(1.0 * k, memory),
            "peer": side(ratio * k),
            "ratio": ratio,
            "spread": [ratio / 2, ratio * 2],
            "difference": 1e-6,
            "threads": 2,
            "limit": limit,
        }
        for k in (1, 2)
    ]
    machine = {"processor": "a processor", "cores": 2, "device": "cpu"}
    growth = {"vocabulary": {"measured": 1.0, "expected": 1.0}}
    return {
        "method": name,
        "seed": run,
        "configuration": {"title": f"The {name}", "peer": "`peer`", "reach": 2.5, "says": ""},
        "details": {"sizes": sizes, "growth": growth, "machine": machine},
        "created": "2026-01-01T00:00:00+00:00",
        "commit": "0123456789abcdef",
    }
