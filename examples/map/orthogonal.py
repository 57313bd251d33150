"""A custom map: the orthogonal map nearest to the paper's, which stretches no direction.

`semalign --include examples/map transfer TEACHER STUDENT -d rows.jsonl -o runs/mine -s map=orthogonal`
"""

import torch
from torch import Tensor

from semalign import SemanticBasis, TransferSettings
from semalign.targets.alignment import alignment_map as semantic_map
from semalign.targets.maps import alignment_map


@alignment_map("orthogonal", needs="bases", atoms="shared")
def orthogonal_map(teacher: SemanticBasis, student: SemanticBasis, settings: TransferSettings) -> Tensor:
    """Return ``U V^T`` of the singular value decomposition of the semantic map, shape (D_T, D_S)."""
    u, _, vh = torch.linalg.svd(semantic_map(teacher, student).double(), full_matrices=False)
    return u @ vh
