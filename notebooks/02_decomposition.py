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
# ## In short
#
# **Does a hidden state keep its direction when it is taken apart along the {term}`atoms <semantic atom>` of its model and put together again?**
#
# - In a published model the cosine of a state with its recombined components is {num}`small/fig2-smollm2-135m.json:value:.2f` for atoms of the {term}`output-side basis` and {num}`small/fig2-smollm2-135m.json:details.cosine_over_layers.input.layer.mean:.2f` for those of the {term}`input-side basis`: the paper's contrast, though it calls the first very high and the second close to zero. In the micro student it is the other way round.
# - The same number of random vectors keeps the direction better than either. So a high cosine does not show that states are made of semantic atoms.
# - **What this does not show**: how the paper's own models, Qwen3 and Llama 2, do. They were not run.
#
# :::{admonition} About this page
# - **Purpose**: decompose hidden states into semantic components and recompose them (the paper's Section 3.2, Eq. 1 and 2), and see what the paper's Fig. 2 shows: how well the direction of a state survives.
# - **Cost**: about 15 seconds for the micro family on a CPU; the curves of SmolLM2-135M come from committed results.
# - **Command**: `semalign run --profile micro --only 02`
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = ["models", "benchmarks", "results/small/fig2-smollm2-135m.csv", "results/small/fig2-smollm2-135m.json"]

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import display

from semalign.book import figures
from semalign.book.markdown import Markdown
from semalign.book.page import open_page
from semalign.book.tables.analyses import random_frames
from semalign.paths import results_dir
from semalign.results.records import read_record

page = open_page("02_decomposition", profile, inputs)
published = results_dir() / "small" / "fig2-smollm2-135m.json"

# %%
import torch

from semalign import SemanticBasis, alignment_map, decompose, load_model, recompose
from semalign.analysis.decomposition import resultant_cosine
from semalign.analysis.decomposition_figure import figure_bases
from semalign.bases.frames import random_basis_cosine
from semalign.data.rows import pad
from semalign.data.tasks import rows
from semalign.experiments.inputs import held_out_rows
from semalign.experiments.profiles import load_profile
from semalign.models.architecture import Architecture
from semalign.models.capture import states_at

settings = load_profile(profile)
teacher, student = load_model(settings.teacher), load_model(settings.student)

# %% [markdown]
# ## Two equations, one product
#
# {term}`Decomposition <decomposition>` describes a teacher state by its cosines with all teacher {term}`atoms <semantic atom>`, its *coefficients*. {term}`Recomposition <recomposition>` is the sum of the student's atoms with these coefficients. It gives the state that the student should have, the {term}`target`. With one unit atom in each column of $S_T$ and $S_S$,
#
# $$
# \mathbf a = \frac{S_T^\top \mathbf h^T}{\lVert \mathbf h^T \rVert_2} \quad (1), \qquad \tilde{\mathbf h}^S = S_S\, \mathbf a \quad (2).
# $$ (eq-decompose)
#
# The drawing of the method on the [first page](../index.md) and the later chapters write $\mathbf h_*$ for the same target. Together the equations are one linear map, $\tilde{\mathbf h}^S = S_S S_T^\top \mathbf h^T / \lVert \mathbf h^T \rVert$. The method trains by a cosine, which does not depend on the length. So the library computes the {term}`alignment map` $M = S_T^{} S_S^\top$ once, a $D_T \times D_S$ matrix for row vectors, and, unless a setting changes the coefficients, never those of a state, one for each of the $m$ atoms ($m = V$ for a whole vocabulary) ([Decisions](#decisions-one-product)).

# %%
task = next(iter(settings.tasks))
examples = teacher.encode(held_out_rows(settings, task)[0][:8])
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
# Within one model the same map is the *frame operator* $F = S S^\top$: it takes a state $\mathbf h$, which the paper calls $\mathbf r$ here, apart into components $\mathbf c_i$ along the atoms and adds these up. The paper says that if semantics are vectors, the sum is parallel to the state for {term}`output-side <output-side basis>` atoms, $\mathbf h \parallel \sum_i \mathbf c_i = F \mathbf h$. For random vectors it should be orthogonal, $\mathbf h \perp F \mathbf h$. The {term}`input-side basis` is a third case. The figures show $\cos(\mathbf h, F \mathbf h)$ at every layer.

# %%
texts = [row["prompt"] for row in rows("micro_humaneval", "validation", 164)] if profile == "micro" else []
micro = resultant_cosine(student, texts, figure_bases(student)) if texts else None

# %% tags=["hide-input"]
real = pd.read_csv(published.with_suffix(".csv"))
page.save(real, "fig2-smollm2")
if texts:
    page.save(micro, "fig2-micro-student")

# %% [markdown]
# ### A published model: SmolLM2-135M-Instruct on HumanEval
#
# The paper's text names Qwen3 and its caption names Llama 2 7B. Neither comes with this project ([Decisions](#decisions-which-states)), so this section uses a Llama-type model with published weights and 135 million parameters. Its LM head is [tied](#decisions-tied-heads) to its embeddings.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The paper's Fig. 2 on SmolLM2-135M-Instruct, 164 HumanEval prompts: mean cosine between a state and its recombined components, by layer, for each {term}`interface`. What to see: the output side is far above the input side, as in the paper; but *random, as many* is higher still, so a high cosine alone says nothing about semantics.", "name": "fig-decomposition-smollm2"}, "image": {"alt": "Four panels, one for each interface, with four curves over 30 layers."}}
figure = figures.resultant_cosines(real)

# %% tags=["remove-input"]
page.provenance(
    "fig2-smollm2",
    "semalign fetch smollm2-135m; semalign decompose smollm2-135m --out data/results/small/fig2-smollm2-135m",
    published,
)

# %% [markdown]
# ### The micro student

# %% tags=["hide-input"] mystnb={"figure": {"caption": "As {numref}`fig-decomposition-smollm2`, for the micro student, whose head is not tied, on 164 prompts of micro-HumanEval. What to see: here the contrast is reversed, with the input side above the output side, so it is a property of a model and not of language models as such.", "name": "fig-decomposition-micro"}, "image": {"alt": "Four panels, one for each interface, with four curves over the student's layers."}}
if texts:
    figure = figures.resultant_cosines(micro)

# %% tags=["hide-input"]
if texts:
    display(page.provenance("fig2-micro-student"))

# %% [markdown]
# ## What random vectors should give
#
# For $m$ random unit vectors in $D$ dimensions and a unit state, $\mathbb E[\mathbf h^\top F \mathbf h] = m/D$ and $\mathbb E\lVert F\mathbf h\rVert^2 = m/D + m(m-1)/D^2$. The cosine is therefore about
#
# $$
# \sqrt{\frac{m}{m + D - 1}} .
# $$ (eq-random-frame)
#
# With as many vectors as a vocabulary has tokens, $m \gg D$, and this is close to 1: many random directions form a nearly *tight* frame, one that gives every state back up to its length. With far fewer vectors than dimensions it is close to $\sqrt{m/D}$. "$\mathbf h \perp \sum_i \mathbf c_i$ for random vectors" holds only for a small number of them.

# %%
m, width = SemanticBasis.from_model(student).vectors.shape
for vectors in (4, m):
    print(f"{vectors} random vectors in {width} dimensions: {random_basis_cosine(vectors, width):.3f} expected")

# %% tags=["hide-input"]
frames = random_frames(real, read_record(published)["details"]["bases"])
page.show_table(
    frames,
    "Cosine of layer outputs with their recombined components, SmolLM2-135M-Instruct, next to what the frame would give for states without a preferred direction, and what the same number of random vectors would give.",
    "random-frames",
    decimals=3,
    command="semalign fetch smollm2-135m; semalign decompose smollm2-135m --out data/results/small/fig2-smollm2-135m",
    records=published,
)

# %% [markdown]
# The second-to-last column of {numref}`tab-random-frames` is a comparison that the paper's figure does not have. Atoms do not fill all directions evenly, so the frame turns even a state without a preferred direction by some angle. For the output side this alone gives a *higher* cosine than the model's own states have. So a cosine as high as that of the output side needs no semantics: a frame that is even enough suffices. The curve does not show that states are made of the frame's atoms. A comparison that could show this is the map between two models against the same map with permuted atoms, as in [Does the premise hold?](05_premise.ipynb).
#
# ## How much of it is one direction
#
# Hidden states of a language model share a mean, which is large at some layers. The share of the (unit) states' {term}`energy` that lies in it is the mean cosine of two states drawn at random: it says how alike the directions of all positions are.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Share of the energy of unit-length states that lies in their mean, by layer and interface, SmolLM2-135M-Instruct on HumanEval. What to see: where the share is near 1, all positions have nearly the same direction, and targets made from them would as well.", "name": "fig-mean-share"}, "image": {"alt": "Line plot of mean-direction share over layers for four interfaces."}}
axis = figures.mean_shares(real)

# %% tags=["remove-input"]
page.provenance(
    "fig2-smollm2",
    "semalign decompose smollm2-135m --out data/results/small/fig2-smollm2-135m",
    published,
)

# %% [markdown]
# ## What the numbers say

# %% tags=["hide-input"]
of = frames.set_index("basis")
display(
    Markdown(
        f"""On SmolLM2-135M-Instruct the mean cosine is {of.loc["output side", "measured: mean"]:.2f} for the output side and {of.loc["input side", "measured: mean"]:.2f} for the input side, but {of.loc["random, as many", "measured: mean"]:.2f} for as many random vectors. For the output side, the shape of the frame alone would give {of.loc["output side", "by the frame's shape alone"]:.2f}."""
    )
)

# %% [markdown]
# **Read next**: [Attribution](03_attribution.ipynb), which chooses a layer of the teacher, or [Inside a state](07_inside_a_state.ipynb), which shows the atoms of single states.
