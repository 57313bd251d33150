# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Decomposition
#
# - **Purpose**: decompose hidden states into semantic components and put them together again (Section 3.2, Eq. 1 and 2), and see what the paper's Fig. 2 shows: how well the direction of a state survives.
# - **Cost**: about half a minute for the micro family; the curves of SmolLM2-135M come from committed results.
# - **Command**: `semalign run --profile micro --only 02`

# %% tags=["parameters"]
profile = "micro"

# %% tags=["hide-input"]
import json

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
import torch
from IPython.display import display

from semalign import SemanticBasis, alignment_map, decompose, load_model, recompose
from semalign.analysis.decomposition import resultant_cosine
from semalign.analysis.decomposition_record import figure_bases
from semalign.bases.frames import random_basis_cosine
from semalign.book.theme import apply_theme, provenance, save_figure_data, table
from semalign.data.rows import encode, pad
from semalign.data.tasks import rows
from semalign.experiments.profiles import load_profile
from semalign.models.architecture import Architecture
from semalign.models.capture import states_at
from semalign.paths import results_dir

apply_theme()
settings = load_profile(profile)
teacher, student = load_model(settings.teacher), load_model(settings.student)

# %% [markdown]
# ## Two equations, one product
#
# The coefficients of a teacher state are its cosines with all teacher atoms, and the supervisory state is their sum in the student's basis:
#
# $$
# \mathbf a = \frac{S_T^\top \mathbf h^T}{\lVert \mathbf h^T \rVert_2} \quad (1), \qquad \tilde{\mathbf h}^S = S_S\, \mathbf a \quad (2).
# $$ (eq-decompose)
#
# Together they are one linear map, $\tilde{\mathbf h}^S = S_S S_T^\top \mathbf h^T / \lVert \mathbf h^T \rVert$, and a cosine loss does not see the length. So the library makes $M = S_T^{} S_S^\top$ once, a $D_T \times D_S$ matrix for row vectors, and never the $m$ coefficients of a state.

# %%
task = next(iter(settings.tasks))
examples = encode(rows(task, "validation", 8), teacher.tokenizer, 512)
with torch.no_grad():
    input_ids, mask = pad(examples)
    states = states_at(Architecture(teacher.model), [3], "mlp", input_ids, mask)[3][mask.bool()]
teacher_basis, student_basis = SemanticBasis.from_model(teacher), SemanticBasis.from_model(student)
literal = recompose(decompose(states, teacher_basis.unit), student_basis.unit)
composed = states @ alignment_map(teacher_basis, student_basis)
cosine = torch.nn.functional.cosine_similarity(literal, composed, dim=-1)
print(f"{len(states)} states: the two forms agree to a cosine of 1 - {(1 - cosine.double()).abs().max():.0e} (float32)")

# %% [markdown]
# ## Fig. 2: does the direction survive?
#
# Within one model the same map is the *frame operator* $F = S S^\top$. If semantics are vectors, says the paper, $\mathbf r \parallel \sum_i \mathbf c_i = F \mathbf r$ for the output-side bases, and $\mathbf r \perp F \mathbf r$ for random ones. The figure measures $\cos(\mathbf h, F \mathbf h)$ at every layer.

# %% tags=["hide-input"]
texts = [row["prompt"] for row in rows("micro_humaneval", "validation", 164)] if profile == "micro" else None
if texts:
    micro = resultant_cosine(student, texts, figure_bases(student))
    save_figure_data(micro, "fig2-micro-student")
real = pd.read_csv(results_dir() / "small" / "fig2-smollm2-135m.csv")
file = save_figure_data(real, "fig2-smollm2")

# %% tags=["hide-input"]
NAMES = {
    "output": "output side",
    "input": "input side",
    "random": "random, as many",
    "random-64": "random, only 64",
}
TITLES = {
    "attention": "attention output",
    "mlp": "MLP output",
    "residual": "layer's contribution",
    "layer": "layer output",
}


def draw(frame):
    frame = frame[frame["interface"].isin(TITLES)].replace({"basis": NAMES, "interface": TITLES})
    grid = sns.relplot(
        frame, x="layer", y="cosine", hue="basis", style="basis", col="interface", kind="line", markers=True, dashes=False,
        col_order=list(TITLES.values()), hue_order=list(NAMES.values()), height=2.9, aspect=0.85, errorbar=None,
    )  # fmt: skip
    grid.set_titles("{col_name}").set_axis_labels("layer", "cos(h, S Sᵀ h)").set(ylim=(-0.1, 1.05))
    sns.move_legend(grid, "lower center", bbox_to_anchor=(0.45, -0.13), ncol=4, title=None)
    plt.show()


# %% [markdown]
# ### A published model: SmolLM2-135M-Instruct on HumanEval
#
# The paper's text names Qwen3 and its caption Llama 2 7B; neither can be had everywhere, so this is a Llama-type model with published weights of 135 million parameters. Its LM head is tied to its embeddings.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The paper's Fig. 2 on SmolLM2-135M-Instruct, 164 HumanEval prompts: mean cosine between a state and its recombined components, by layer, for each supervision interface. What to see: output side far above input side, as in the paper; but *as many random vectors* do better still, so a high cosine alone says nothing about semantics.", "name": "fig-decomposition-smollm2"}, "image": {"alt": "Four panels, one for each interface, with four curves over 30 layers."}}
draw(real)

# %% tags=["remove-input"]
provenance(
    "notebooks/02_decomposition.py",
    "fig2-smollm2",
    "semalign fetch smollm2-135m; semalign decompose smollm2-135m --out data/results/small/fig2-smollm2-135m",
    record=results_dir() / "small" / "fig2-smollm2-135m.json",
)

# %% [markdown]
# ### The micro student

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same for the micro student on 164 prompts of micro-HumanEval, whose head is not tied. What to see: the contrast is the other way round here, input side above output side: it belongs to a model, not to language models as such.", "name": "fig-decomposition-micro"}, "image": {"alt": "Four panels, one for each interface, with four curves over the student's layers."}}
if texts:
    draw(micro)

# %% tags=["hide-input"]
if texts:
    display(
        provenance("notebooks/02_decomposition.py", "fig2-micro-student", f"semalign run --profile {profile} --only 02")
    )

# %% [markdown]
# ## What random vectors should give
#
# For $m$ random unit vectors in $D$ dimensions and a unit state, $\mathbb E[\mathbf h^\top F \mathbf h] = m/D$ and $\mathbb E\lVert F\mathbf h\rVert^2 = m/D + m(m-1)/D^2$, hence a cosine of about
#
# $$
# \sqrt{\frac{m}{m + D - 1}} .
# $$ (eq-random-frame)
#
# With as many vectors as a vocabulary has tokens, $m \gg D$, that is close to 1: many random directions form a nearly tight frame. With few, it is close to $\sqrt{m/D}$. "$\mathbf r \perp \sum_i \mathbf c_i$ for random vectors" holds only for few of them.

# %% tags=["hide-input"]
record = json.loads((results_dir() / "small" / "fig2-smollm2-135m.json").read_text())
lines = []
for name, basis in record["details"]["bases"].items():
    measured = real[(real["basis"] == name) & (real["interface"] == "layer")]["cosine"]
    lines.append(
        {
            "basis": NAMES.get(name, name),
            "m": basis["m"],
            "measured: mean": measured.mean(),
            "lowest layer": measured.min(),
            "highest layer": measured.max(),
            "by the frame's shape alone": basis["isotropic_cosine"],
            "random vectors, expected": random_basis_cosine(basis["m"], basis["width"]),
        }
    )
expected = pd.DataFrame(lines)
save_figure_data(expected, "random-frames")
table(
    expected,
    "Cosine of layer outputs with their recombined components, SmolLM2-135M-Instruct, beside what the frame would give for states without any direction of their own, and what random vectors of the same number would.",
    "tab-random-frames",
    decimals=3,
)

# %% tags=["remove-input"]
provenance("notebooks/02_decomposition.py", "random-frames", f"semalign run --profile {profile} --only 02")

# %% [markdown]
# The last column but one is the test that the paper's figure lacks. A frame whose directions are unevenly filled turns even a state without any direction of its own by a certain angle, and for the output side that alone gives a *higher* cosine than the model's own states have. So the output-side curve measures how even the frame is, not that states are made of its atoms. What could show that is the map between two models, held against the same map with shuffled atoms.
#
# ## How much of it is one direction
#
# Hidden states of a language model share a large mean. The share of the (unit) states' energy that lies in it says how much of a high cosine one fixed vector explains.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Share of the energy of unit-length states that lies in their mean, by layer and interface, SmolLM2-135M-Instruct on HumanEval. What to see: where the share is near 1, all positions have nearly the same direction, and so would targets made from them.", "name": "fig-mean-share"}, "image": {"alt": "Line plot of mean-direction share over layers for four interfaces."}}
shares = real[(real["basis"] == "output") & real["interface"].isin(TITLES)].replace({"interface": TITLES})
axis = sns.lineplot(shares, x="layer", y="mean_share", hue="interface", style="interface", markers=True, dashes=False)
axis.set(ylabel="share of energy in the mean", ylim=(0, 1.02))
axis.legend(title=None)
plt.show()

# %% tags=["remove-input"]
provenance(
    "notebooks/02_decomposition.py",
    "fig2-smollm2",
    "semalign decompose smollm2-135m --out data/results/small/fig2-smollm2-135m",
)
