"""The terms of an objective on a whole batch."""

from semalign.targets.supervision import Counts


def terms(objective, batch):
    """Return both terms on a batch, each averaged over its positions, as a training step of one part has them."""
    reached = objective(batch)
    sums = {
        "layer": objective.layer_sum(reached.states, batch.targets, batch.matched.rows),
        "output": reached.output,
    }
    positions = objective.positions(Counts(len(batch.labels), len(batch.matched.rows)))
    return {name: sums[name] / positions[name] for name in sums}
