"""The figures of the book, one module for each chapter or two: functions from frames of numbers to figures."""

from semalign.book.figures.attribution import attribution_maps
from semalign.book.figures.bases import associate, atom_cosines, cosine_table, semantic_association
from semalign.book.figures.changes import score_over_change
from semalign.book.figures.costs import score_over_cost
from semalign.book.figures.course import curves, nll_by_layer
from semalign.book.figures.decomposition import mean_shares, resultant_cosines
from semalign.book.figures.pairing import cloud_table, clouds, kinds_of, layer_pairs
from semalign.book.figures.scores import differences, gap_to_teacher
from semalign.book.figures.similarity import layer_similarity
from semalign.book.figures.training import loss_table, training_losses

__all__ = [
    "associate",
    "atom_cosines",
    "attribution_maps",
    "cloud_table",
    "clouds",
    "cosine_table",
    "curves",
    "differences",
    "gap_to_teacher",
    "kinds_of",
    "layer_pairs",
    "layer_similarity",
    "loss_table",
    "mean_shares",
    "nll_by_layer",
    "resultant_cosines",
    "score_over_change",
    "score_over_cost",
    "semantic_association",
    "training_losses",
]
