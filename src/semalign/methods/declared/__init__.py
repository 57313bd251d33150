"""The methods of this package: name, description and settings of each, and where its code is.

Nothing here loads PyTorch, so that a wrong name or setting is told at once. A file may also register a method whose
functions stand in it; see :mod:`semalign.methods.registry`.
"""
