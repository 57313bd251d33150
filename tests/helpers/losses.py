"""Run records of transfers that were measured on held-out rows."""

from semalign.results.records import make_record, write_record


def write_losses(
    folder, method, seed, rows, *, task="micro_gsm8k", student="tiny", before=2.0, width=None, cosines=None,
    details=(), **settings
):  # fmt: skip
    """Write a record with the losses of held-out rows after a transfer; return its path.

    The width is half of the interval of the loss before.
    """
    after = sum(rows) / len(rows)
    ends = {} if width is None else {"low": before - width, "high": before + width}
    held_out = {"before": before, "after": after, "low": None, "high": None, **ends, "n": len(rows), "split": None}
    found = {"held_out": {**held_out, "row_nll": list(rows)}, **dict(details)}
    if cosines is not None:
        found["layer_cosine"] = dict(zip(("before", "after"), cosines, strict=True))
    record = make_record(
        method=method,
        teacher="large",
        student=student,
        task=task,
        seed=seed,
        configuration={"seed": seed, **settings},
        fingerprints={},
        metric="response_nll",
        value=after,
        n=len(rows),
        seconds=1.0,
        details=found,
    )
    path = folder / f"{method}--{student}--{task}--{seed}.json"
    write_record(path, record)
    return path
