"""Can alignment carry knowledge between two models? Measured before any training.

See :func:`semalign.analysis.diagnosis.diagnosing.diagnose`.
"""

from semalign.analysis.diagnosis.diagnosing import Diagnosis, diagnose

__all__ = ["Diagnosis", "diagnose"]
