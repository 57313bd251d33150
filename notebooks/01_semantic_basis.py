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
# # Semantic basis
#
# - **Purpose**: make the vocabulary-defined semantic bases of teacher and student (Section 3.1 of the paper), check that they are what they should be, and draw Fig. 1 from them.
# - **Cost**: seconds on a CPU for the micro family; a Llama-2-7B head takes well under a minute on two cores.
# - **Command**: `semalign run --profile micro --only 01`

# %% tags=["parameters"]
profile = "micro"

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch

from semalign import SemanticBasis, load_model
from semalign.book.theme import apply_theme, provenance, save_figure_data, table
from semalign.data.rows import encode
from semalign.data.tasks import rows
from semalign.experiments.profiles import load_profile
from semalign.models.architecture import Architecture
from semalign.targets.alignment import shared_atoms

apply_theme()
settings = load_profile(profile)
teacher, student = load_model(settings.teacher), load_model(settings.student)

# %% [markdown]
# ## One vector for each token
#
# A language model turns a hidden state $h$ into logits by its LM head, $z = W h$, with one row of $W$ for each of the $V$ tokens of the vocabulary.
# Going the other way, from a label to the latent space, takes the pseudoinverse: the *semantic basis* of token $i$ is
#
# $$
# \vec s_i = \vec e_i\, W^+ , \qquad W^+ = (W^\top W)^{-1} W^\top ,
# $$ (eq-basis)
#
# the least-squares answer to "which state gives logit 1 to token $i$ and 0 to all others?". The library computes it through the $D \times D$ Gram matrix in float64, so the cost is two matrix products and no $V$-sized factorisation.

# %%
teacher_basis = SemanticBasis.from_model(teacher)
student_basis = SemanticBasis.from_model(student)
student_basis.vectors.shape, student_basis.method, student_basis.rank

# %% [markdown]
# Three checks. $S$ must be the pseudoinverse, so $S^\top W$ is the identity of the latent space. It must agree with `torch.linalg.pinv` in float64. And the logits of $s_i$ should have their maximum at token $i$.


# %% tags=["hide-input"]
def check(name, model, basis):
    weight = Architecture(model.model).lm_head.weight.detach()[basis.token_ids].double()
    vectors = basis.vectors.double()
    identity = vectors.T @ weight
    reference = torch.linalg.pinv(weight).T
    hits = (vectors @ weight.T).argmax(1) == torch.arange(len(vectors))
    return {
        "model": name,
        "atoms m": len(vectors),
        "width D": vectors.shape[1],
        "rank": basis.rank,
        "largest error of SᵀW − I": f"{(identity - torch.eye(len(identity))).abs().max():.1e}",
        "largest difference to pinv": f"{(vectors - reference).abs().max():.1e}",
        "own token first (%)": 100 * hits.double().mean().item(),
    }


checks = pd.DataFrame([check("teacher", teacher, teacher_basis), check("student", student, student_basis)])
save_figure_data(checks, "basis-checks")
table(
    checks,
    "Checks of the two semantic bases; the last column is the share of bases whose own token has the largest logit.",
    "tab-basis-checks",
    decimals=1,
)

# %% tags=["remove-input"]
provenance("notebooks/01_semantic_basis.py", "basis-checks", f"semalign run --profile {profile} --only 01")

# %% [markdown]
# ## How the atoms lie
#
# $V$ vectors in $D < V$ dimensions cannot be orthogonal. How far from it they are matters for everything that follows, because a state's coefficients are its cosines with *all* atoms (Eq. 1 of the paper). For scale, the figure also shows as many random vectors.


# %% tags=["hide-input"] mystnb={"figure": {"caption": "Cosines between atoms of one model: output side (columns of the pseudoinverse), input side (embedding rows) and as many random vectors. What to see: how far each side's atoms are from the random ones, whose cosines have standard deviation $1/\\sqrt{D}$.", "name": "fig-atom-cosines"}, "image": {"alt": "Two panels of three overlaid density curves of pairwise cosines."}}
def pair_cosines(basis, n=400):
    unit = basis.unit[torch.randperm(len(basis.unit), generator=torch.Generator().manual_seed(0))[:n]]
    return (unit @ unit.T)[tuple(torch.triu_indices(len(unit), len(unit), 1))].numpy()


cosines = pd.concat(
    pd.DataFrame({"model": name, "side": side, "cosine": pair_cosines(SemanticBasis.from_model(model, side))})
    for name, model in (("teacher", teacher), ("student", student))
    for side in ("output", "input", "random")
)
grid = sns.displot(
    cosines,
    x="cosine",
    hue="side",
    col="model",
    kind="kde",
    height=3.2,
    aspect=1.1,
    common_norm=False,
    facet_kws={"sharey": True},
)
grid.set_titles("{col_name}")
summary = cosines.groupby(["model", "side"])["cosine"].agg(["mean", "std"]).reset_index()
save_figure_data(summary, "atom-cosines")
plt.show()

# %% tags=["remove-input"]
provenance("notebooks/01_semantic_basis.py", "atom-cosines", f"semalign run --profile {profile} --only 01")

# %% [markdown]
# ## Fig. 1: vocabulary, latent space, regions
#
# The paper's Fig. 1 is a sketch; this one is drawn from the student. Left: six tokens of its vocabulary. Middle: their bases in the latent space, on the plane that holds most of their spread, and a real hidden state: the last one before a digit in the worked solution of a word problem. Right: the same plane, each point in the colour of the basis with which it has the largest cosine in all $D$ dimensions: the *semantic regions*.

# %% tags=["hide-input"]
LABELS = ["1", "2", "3", "4", "5", "6"]
SUM = (
    rows("micro_gsm8k", "validation", 1)[0] if profile == "micro" else {"prompt": "1+1=2, 2+1=3, 3+1=", "response": "4"}
)


def chosen_atoms(basis, labels):
    found = [basis.tokens.index(label) for label in labels if label in basis.tokens]
    return found or list(range(6))


atoms = chosen_atoms(student_basis, LABELS)
names = [student_basis.tokens[i].replace("Ġ", "␣") for i in atoms]
unit = student_basis.unit[atoms].double()
example = encode([SUM], student.tokenizer, 512)[0]
before = [i for i in example.positions() if example.tokens[i + 1] in LABELS] or [len(example) - 2]
with torch.no_grad():
    architecture = Architecture(student.model)
    ids = torch.tensor([example.input_ids])
    state = architecture.decoder(input_ids=ids, use_cache=False).last_hidden_state[0, before[-1]].double()
state = torch.nn.functional.normalize(state, dim=0)
centre = unit.mean(0)
plane = torch.linalg.svd(unit - centre, full_matrices=False).Vh[:2]


def on_plane(vectors):
    return ((vectors - centre) @ plane.T).numpy()


# %% tags=["hide-input"] mystnb={"figure": {"caption": "The paper's Fig. 1 from real bases of the student. Each colour is one token (left), its semantic basis (middle, on the plane of largest spread) and the region of states nearest to it in cosine (right). The black dot is a hidden state from which the next token should be a digit; its cosine with each basis is written at the basis. What to see: regions are cones around the bases, and a state means several tokens to some degree.", "name": "fig-semantic-association"}, "image": {"alt": "Three panels: coloured token labels, coloured points on a plane with a black dot, and the plane divided into coloured regions."}}
colours = sns.color_palette("colorblind", len(atoms))
points, dot, similarity = on_plane(unit), on_plane(state[None])[0], (unit @ state).tolist()
span = 1.25 * max(np.abs(points).max(), np.abs(dot).max())
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.3), width_ratios=[0.5, 1, 1])
axes[0].axis("off")
axes[0].set_title("vocabulary")
for i, (name, colour) in enumerate(zip(names, colours)):
    axes[0].add_patch(plt.Rectangle((0.25, 0.86 - 0.15 * i), 0.5, 0.12, color=colour, transform=axes[0].transAxes))
    axes[0].text(
        0.5,
        0.92 - 0.15 * i,
        repr(name),
        ha="center",
        va="center",
        color="white",
        weight="bold",
        transform=axes[0].transAxes,
    )
ticks = np.linspace(-span, span, 161)
mesh = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2)
space = torch.nn.functional.normalize(centre + torch.from_numpy(mesh) @ plane, dim=1)
nearest = (space @ unit.T).argmax(1).numpy().reshape(161, 161)
axes[2].imshow(np.asarray(colours)[nearest], extent=(-span, span, -span, span), origin="lower", alpha=0.45)
for axis, title in zip(axes[1:], ["latent space", "semantic regions"]):
    axis.scatter(*points.T, c=colours, s=60, edgecolor="white", zorder=3)
    axis.scatter(*dot, c="black", s=40, zorder=4)
    axis.set(title=title, xticks=[], yticks=[], xlim=(-span, span), ylim=(-span, span), aspect="equal")
for point, value, colour in zip(points, similarity, colours):
    axes[1].plot(*zip(dot, point), color=colour, lw=0.8, zorder=1)
    axes[1].annotate(f"{value:.2f}", point, xytext=(5, 5), textcoords="offset points", fontsize=8)
plane_data = pd.DataFrame({"token": names, "x": points[:, 0], "y": points[:, 1], "cosine with state": similarity})
save_figure_data(plane_data, "semantic-association")
plt.show()

# %% tags=["remove-input"]
provenance("notebooks/01_semantic_basis.py", "semantic-association", f"semalign run --profile {profile} --only 01")

# %% [markdown]
# ## What the choices change
#
# The paper leaves some of the basis open; [Decisions](../decisions.md) says what is done here. What another choice would change, measured on the two LM heads of this profile: the cosine between what the two choices give, 1 where they agree.


# %% tags=["hide-input"]
def agreement(a, b):
    """Mean cosine of the rows of two matrices, over their common first rows."""
    n = min(len(a), len(b))
    return torch.nn.functional.cosine_similarity(a[:n].double(), b[:n].double()).mean().item()


def atom_changes(model, basis):
    weight = Architecture(model.model).lm_head.weight.detach()[basis.token_ids].float()
    return {
        "atoms: torch.linalg.pinv in float32 instead of Cholesky in float64": agreement(
            torch.linalg.pinv(weight).T, basis.vectors
        ),
        "atoms: final norm folded in": agreement(
            SemanticBasis.from_model(model, fold_norm=True).vectors, basis.vectors
        ),
        "atoms: input side instead of output side": agreement(
            SemanticBasis.from_model(model, side="input").vectors, basis.vectors
        ),
        "rows that equal an earlier row, share": 1 - len(SemanticBasis.from_model(model, unique_rows=True).vectors)
        / len(basis.vectors),
    }  # fmt: skip


changes = (
    pd.DataFrame({"teacher": atom_changes(teacher, teacher_basis), "student": atom_changes(student, student_basis)})
    .rename_axis("what")
    .reset_index()
)
save_figure_data(changes, "basis-choices")
table(changes, "What another choice for the semantic basis would change.", "tab-basis-choices", decimals=4)

# %% tags=["remove-input"]
provenance("notebooks/01_semantic_basis.py", "basis-choices", f"semalign run --profile {profile} --only 01")

# %% [markdown]
# Unit atoms or raw ones is a choice of the sum, not of the atoms: with raw vectors the map to the student is $S_T S_S^\top$ of the raw bases. For states drawn at random the two maps give targets of this cosine:

# %%
drawn = torch.randn(512, teacher_basis.vectors.shape[1], dtype=torch.float64)
shared_teacher, shared_student = shared_atoms(teacher_basis, student_basis)
unit_map = teacher_basis.unit[shared_teacher].double().T @ student_basis.unit[shared_student].double()
raw_map = teacher_basis.vectors[shared_teacher].double().T @ student_basis.vectors[shared_student].double()
round(agreement(drawn @ unit_map, drawn @ raw_map), 3)

# %% [markdown]
# ## On your own model
#
# ```python
# import semalign
#
# model = semalign.load_model("my-model-folder")
# basis = semalign.SemanticBasis.from_model(model)      # side="input" for embedding rows
# basis.save("basis.safetensors")
# ```
#
# or `semalign basis my-model-folder --out basis.safetensors`. What the options mean, and what else they could mean, is in [Decisions](../decisions.md).
