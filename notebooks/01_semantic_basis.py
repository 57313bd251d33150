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
# ## In short
#
# **Does every token of the vocabulary have a vector of its own in the space of hidden states, and what are these vectors like?**
#
# - In the micro models every token has one, and it is computed exactly up to rounding.
# - For most tokens the logits of this vector are largest at the token itself, but for many they are not.
# - **What this does not show**: that hidden states are made of these vectors, or that those of two models mean the same.
#
# :::{admonition} About this page
# - **Purpose**: compute the vocabulary-defined semantic bases of teacher and student (Section 3.1 of the paper), check them, and draw Fig. 1 from them.
# - **Cost**: about 15 seconds for the micro family on a CPU; a Llama-2-7B head takes well under a minute on two cores.
# - **Command**: `semalign run --profile micro --only 01`
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = ["models", "benchmarks"]  # below data/; a change makes the page stale

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import display

from semalign.book import figures
from semalign.book.markdown import Markdown
from semalign.book.page import open_page
from semalign.book.tables.analyses import basis_checks
from semalign.data.tasks import rows

page = open_page("01_semantic_basis", profile, inputs)

# %%
import torch
from torch.nn.functional import cosine_similarity

from semalign import SemanticBasis, load_model, shared_atoms
from semalign.experiments.profiles import load_profile
from semalign.models.architecture import Architecture

settings = load_profile(profile)
teacher, student = load_model(settings.teacher), load_model(settings.student)

# %% [markdown]
# ## One vector for each token
#
# You need to know how a transformer computes logits, and what a pseudoinverse is. All other terms are explained where they first occur, and in the [glossary](../glossary.md).
#
# A language model turns a hidden state $h$ of $D$ numbers into logits by its LM head, $z = W h$, with one row of $W$ for each of the $V$ tokens of the vocabulary. (The [final norm](#decisions-final-norm) that comes before the head is left out here.)
# The other direction leads from a token to the space of hidden states, the *latent space*. It uses the [pseudoinverse](#decisions-pseudoinverse) $W^+$ and the one-hot vector $\vec e_i$ of token $i$. The result is one vector of the {term}`semantic basis`, called the {term}`semantic atom` of token $i$:
#
# $$
# \vec s_i = W^+ \vec e_i , \qquad W^+ = (W^\top W)^{-1} W^\top ,
# $$ (eq-basis)
#
# for a head of rank $D$, as those here. It is the least-squares answer to "which state gives logit 1 to token $i$ and 0 to all others?". The paper writes $\vec e\, W^+$, with states as rows and a head of shape $D \times V$; this is the same. The matrix $S = W^+$ has one atom in each of its $V$ columns. The library computes it through the $D \times D$ Gram matrix $W^\top W$, which is inverted in float64, so it needs two matrix products and no factorisation of size $V$. It keeps the atoms as rows, in `vectors`.

# %%
teacher_basis = SemanticBasis.from_model(teacher)
student_basis = SemanticBasis.from_model(student)
atoms, width = student_basis.vectors.shape
print(f"The student's basis: {atoms} atoms of {width} numbers, rank {student_basis.rank}, by {student_basis.method}")

# %% [markdown]
# Three checks follow. $S$ must be the pseudoinverse, so $S W$ must be the identity of the latent space. $S$ must agree with `torch.linalg.pinv` in float64. The third check asks how often the logits of an atom $\vec s_i$ have their maximum at token $i$. This need not be so: $V$ tokens share $D < V$ dimensions, so $W S$, whose columns are these logits, can only be a projection and not the identity.


# %%
def check(model, basis):
    W, S = Architecture(model.model).head_weight.detach()[basis.token_ids].double(), basis.vectors.double().T
    return {
        "largest error of SW − I": (S @ W - torch.eye(len(S))).abs().max().item(),
        "largest difference to pinv": (S - torch.linalg.pinv(W)).abs().max().item(),
        "own token first (%)": 100 * ((W @ S).argmax(0) == torch.arange(len(W))).double().mean().item(),
    }


checks = {"teacher": check(teacher, teacher_basis), "student": check(student, student_basis)}

# %% tags=["hide-input"]
page.show_table(
    basis_checks({"teacher": teacher_basis, "student": student_basis}, checks),
    "Checks of the two semantic bases: the largest entry of $S W - I$ and the largest difference to `torch.linalg.pinv`, both near zero for a right basis, and the share of atoms whose own token has the largest logit.",
    "basis-checks",
    decimals=1,
)

# %% [markdown]
# ## The angles between atoms
#
# $V$ vectors in $D < V$ dimensions cannot be orthogonal. How far they are from orthogonal matters for everything that follows, because the next page describes a state by its cosines with *all* atoms (Eq. 1 of the paper). For comparison, the figure also shows the same number of random vectors.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Cosines between atoms of one model: output side (columns of the pseudoinverse), input side (embedding rows) and the same number of random vectors. What to see: how far each side's atoms are from the random vectors, whose cosines have standard deviation $1/\\sqrt{D}$.", "name": "fig-atom-cosines"}, "image": {"alt": "Two panels of three overlaid density curves of pairwise cosines."}}
bases = {
    (name, side): SemanticBasis.from_model(model, side)
    for name, model in (("teacher", teacher), ("student", student))
    for side in ("output", "input", "random")
}
cosines = figures.cosine_table(bases)
figure = figures.atom_cosines(cosines)
page.save(cosines.groupby(["model", "side"])["cosine"].agg(["mean", "std"]).reset_index(), "atom-cosines")

# %% tags=["remove-input"]
page.provenance("atom-cosines")

# %% [markdown]
# ## Fig. 1: vocabulary, latent space, regions
#
# The paper's Fig. 1 is a sketch; this one is drawn from the student. The left panel shows six tokens of its vocabulary. The middle panel shows their atoms in the latent space, on the plane of their largest spread, and a real hidden state: the last one before a digit in the worked solution of a word problem. The right panel shows the same plane, where each point has the colour of the atom with which it has the largest cosine in all $D$ dimensions. These are the *semantic regions*.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The paper's Fig. 1 from real atoms of the student. Each colour is one token (left), its semantic atom (middle, on the plane of largest spread) and the region of states nearest to it in cosine (right). The dot in the colour of the text is a hidden state from which the next token should be a digit; its cosine with each atom is written next to the atom. What to see: one region for each atom, and a state that means several tokens to some degree. In the full space the regions are cones; this plane does not pass through the origin, so that their borders do not meet in one point.", "name": "fig-semantic-association"}, "image": {"alt": "Three panels: coloured token labels, coloured points on a plane around the dot of the state, and the plane divided into coloured regions."}}
SUM = {"prompt": "1+1=2, 2+1=3, 3+1=", "response": "4"}
row = rows("micro_gsm8k", "validation", 1)[0] if profile == "micro" else SUM
seen = figures.associate(student, student_basis, row, ["1", "2", "3", "4", "5", "6"])
figure = figures.semantic_association(seen)
page.save(seen.table(), "semantic-association")

# %% tags=["remove-input"]
page.provenance("semantic-association")

# %% [markdown]
# ## What the choices change
#
# The paper leaves some details of the basis open. *Decisions* says what is done here about the [pseudoinverse](#decisions-pseudoinverse), the [final norm](#decisions-final-norm), [equal rows](#decisions-equal-rows) and [unit length](#decisions-unit-length). The table shows what another choice would change on the two LM heads of this profile. Its values, except those of the last line, are cosines between the results of the two choices; the cosine is 1 where they agree.


# %%
def agreement(a, b):
    """Return the mean cosine of the rows of two matrices, over their common first rows."""
    n = min(len(a), len(b))
    return cosine_similarity(a[:n].double(), b[:n].double()).mean().item()


def other_choices(model, basis):
    pinv = torch.linalg.pinv(Architecture(model.model).head_weight.detach()[basis.token_ids].float()).T
    folded, embeddings = SemanticBasis.from_model(model, fold_norm=True), SemanticBasis.from_model(model, side="input")
    unique = SemanticBasis.from_model(model, unique_rows=True)
    return {
        "atoms: torch.linalg.pinv in float32 instead of the Gram matrix": agreement(pinv, basis.vectors),
        "atoms: final norm folded in": agreement(folded.vectors, basis.vectors),
        "atoms: input side instead of output side": agreement(embeddings.vectors, basis.vectors),
        "rows of the head that equal an earlier row (share)": 1 - len(unique.vectors) / len(basis.vectors),
    }


# %% tags=["hide-input"]
changes = {"teacher": other_choices(teacher, teacher_basis), "student": other_choices(student, student_basis)}
page.show_table(
    pd.DataFrame(changes).rename_axis("what").reset_index(),
    "Mean cosine between the atoms of this book and those of another choice, where 1 means the same atoms; the last line is the share of tokens whose row of the head equals an earlier one.",
    "basis-choices",
    decimals=4,
)

# %% [markdown]
# The choice between unit and raw atoms concerns sums over atoms. The [next page](02_decomposition.ipynb) combines the atoms of teacher and student to one map, $M = S_T^{} S_S^\top$, which takes a teacher state to a {term}`target` for the student. The atoms in it may have unit length or be raw. For states drawn at random, the targets of the two maps have this mean cosine:

# %%
drawn = torch.randn(512, teacher_basis.vectors.shape[1], dtype=torch.float64, generator=torch.manual_seed(0))
shared_teacher, shared_student = shared_atoms(teacher_basis, student_basis)
unit_map = teacher_basis.unit[shared_teacher].double().T @ student_basis.unit[shared_student].double()
raw_map = teacher_basis.vectors[shared_teacher].double().T @ student_basis.vectors[shared_student].double()
print(f"mean cosine of the two targets: {agreement(drawn @ unit_map, drawn @ raw_map):.3f}")

# %% [markdown]
# ## What the numbers say

# %% tags=["hide-input"]
own = {name: found["own token first (%)"] for name, found in checks.items()}
spread = cosines.groupby(["model", "side"])["cosine"].std()
display(
    Markdown(
        f"""- **Own token first**: for {own["teacher"]:.0f}% of the teacher's atoms and {own["student"]:.0f}% of the student's. For the other tokens, the state that comes nearest to a logit of 1 here and 0 elsewhere gives another token the largest logit.
- **Angles**: cosines between output-side atoms have standard deviation {spread["teacher", "output"]:.3f} in the teacher and {spread["student", "output"]:.3f} in the student; those between random vectors have {spread["teacher", "random"]:.3f} and {spread["student", "random"]:.3f}."""
    )
)

# %% [markdown]
# The cosine of a state with the atom of one token is therefore never about this token alone: it also contains what the state has along the atoms near it.
#
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
# On the command line, use `semalign basis my-model-folder --out basis.safetensors`. What the options mean is said in [Decisions](#decisions-pseudoinverse).
#
# **Read next**: [Decomposition](02_decomposition.ipynb), which takes hidden states apart along these vectors.
