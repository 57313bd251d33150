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
# # Pairing
#
# ## In short
#
# **Which teacher layer supervises which student layer, and what does this look like for a real pair?**
#
# - Where the teacher is deeper, the formula gives each student layer a teacher layer of its own and leaves some teacher layers without a partner.
# - In the drawn pair, the training under the paper's settings moves the student's states only a little towards their {term}`targets <target>`.
# - **What this does not show**: that layers at equal depth compute the same.
#
# :::{admonition} About this page
# - **Purpose**: assign a teacher layer to each student layer (the paper's Section 4.1), find the student layer for a critical teacher layer, and draw Fig. 3 from a real pair.
# - **Cost**: about 95 seconds for the micro family on a CPU.
# - **Command**: `semalign run --profile micro --only 04`
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = ["models", "benchmarks"]

# %% tags=["hide-input"]
from IPython.display import display

from semalign.book import figures
from semalign.book.markdown import Markdown
from semalign.book.page import open_page
from semalign.book.tables.paper import title

page = open_page("04_pairing", profile, inputs)

# %%
import torch

from semalign import SemanticBasis, alignment_map, attribute_layers, load_model, transfer
from semalign.data.rows import batches, pad
from semalign.experiments.inputs import training_rows
from semalign.experiments.profiles import load_profile
from semalign.models.architecture import Architecture
from semalign.models.capture import states_at
from semalign.targets.pairing import LayerMap

settings = load_profile(profile)
teacher, student = load_model(settings.teacher), load_model(settings.student)

# %% [markdown]
# ## The layer map
#
# Teacher and student may differ in depth: the teacher has $L_T$ layers, the student $L_S$. The {term}`layer map` pairs student layer $k$ with teacher layer
#
# $$
# \ell_k^T = \max\!\left(1, \left\lfloor \tfrac{L_T}{L_S} k \right\rfloor\right).
# $$ (eq-pairing)
#
# [Attribution](03_attribution.ipynb) chooses a critical teacher layer $\ell_\star^T$. It leads to the first student layer whose partner is as deep or deeper, $k^\dagger = \min\{k : \ell_k^T \ge \ell_\star^T\}$. Layers count from 1. The last column below shows the [interpolated](#decisions-interpolation) alternative, which mixes the two teacher layers around the student's exact depth $L_T\, k / L_S$.

# %%
layer_map = LayerMap(Architecture(teacher.model).n_layers, Architecture(student.model).n_layers)
print(layer_map)

# %% [markdown]
# With $L_T \ge L_S$ the map never uses a teacher layer twice: $\lfloor L_T k / L_S \rfloor$ grows by at least 1 with each $k$. If the teacher is deeper, the map *skips* teacher layers, and $k^\dagger$ is needed for those. The paper also mentions that student layers may share a teacher layer. This needs a teacher with fewer layers than the student. You can override single pairs of the map:

# %%
print(LayerMap(5, 4, override={3: 4}))

# %% [markdown]
# ## Fig. 3 from a real pair
#
# The paper's Fig. 3 is a sketch of the whole method. The figure below shows the same three steps for real models, in the paper's colours. Step 1 is the layer map, with the teacher's attribution as bars. Step 2 has the teacher's states at the paired layer, the {term}`targets <target>` that the map $M$ makes of them in the student's space, and the student's own states before any training. Step 3 has these states after the training of the page [Alignment and training](06_alignment.ipynb), which changes the paired layer only.

# %%
task = "micro_gsm8k" if "micro_gsm8k" in settings.tasks else next(iter(settings.tasks))
train_rows = training_rows(settings, task)
scores = attribute_layers(teacher, batches(teacher.encode(train_rows[:32]), 8))
layer, k = layer_map.pair(1 + int(scores.argmax()))


@torch.no_grad()
def response_states(model, number):
    examples = model.encode(train_rows[:12])
    states = states_at(Architecture(model.model), [number], "mlp", *pad(examples))[number]
    return torch.cat([states[i, list(example.positions())] for i, example in enumerate(examples)])


h_teacher, h_before = response_states(teacher, layer), response_states(student, k)
trained = transfer(teacher, student, train_rows, task=task, **settings.settings_for(task))
h_after = response_states(trained.model, k)
targets = h_teacher @ alignment_map(SemanticBasis.from_model(teacher), SemanticBasis.from_model(student))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The three steps of the paper's Fig. 3 for a real pair. 1: dashed lines join paired layers, bars are the teacher's attribution, orange is the pair that the critical layer leads to, Δ the layer that is trained. 2: response positions at that pair, with a mark for what comes next: teacher states (orange), the targets made from them (grey) and the student's own states (blue) on the plane of the two directions in which the targets spread most. Teacher states have such a plane of their own. 3: the same after the training. What to see: whether the targets keep the teacher's grouping, and how far the student's states come towards them.", "name": "fig-pairing"}, "image": {"alt": "Columns of teacher and student layers joined by dashed lines, and three scatter plots: teacher states, targets with the student's states before the training, and targets with them after it."}}
examples = student.encode(train_rows[:12])
kinds = figures.kinds_of([e.tokens[i + 1] for e in examples for i in e.positions()])
points = figures.cloud_table(figures.clouds(h_teacher, targets, h_before, h_after), kinds)
figure = figures.layer_pairs(layer_map, scores.tolist(), k, points)
page.save(points, "pairing")

# %% tags=["remove-input"]
page.provenance("pairing", records=page.keep({"pairing": trained.record}, "training"))

# %% [markdown]
# ## What the numbers say

# %% tags=["hide-input"]
from collections import Counter

cosine = torch.nn.functional.cosine_similarity
near = {name: cosine(states, targets).mean().item() for name, states in (("before", h_before), ("after", h_after))}


def same_kind(states):
    """Return how often the nearest other state, by cosine, comes before a token of the same kind."""
    unit = torch.nn.functional.normalize(states, dim=-1)
    nearest = (unit @ unit.T).fill_diagonal_(-1).argmax(1).tolist()
    return sum(kinds[i] == kinds[j] for i, j in enumerate(nearest)) / len(kinds)


counts = Counter(kinds).values()
by_chance = sum(n * (n - 1) for n in counts) / (len(kinds) * (len(kinds) - 1))
alike = {name: cosine(states, states.mean(0)).mean().item() for name, states in (("t", h_teacher), ("m", targets))}
display(
    Markdown(
        f"""- **Grouping**: the nearest other state, by cosine, comes before a token of the same kind for {same_kind(h_teacher):.0%} of the teacher's states, {same_kind(targets):.0%} of the targets and {same_kind(h_before):.0%} of the student's own states before the training. For states in a random order it would be {by_chance:.0%}.
- **Distance**: at student layer {k}, over the {len(targets)} response tokens of the first {len(examples)} training rows of {title(task)}, the mean cosine between the student's states and their targets is {near["before"]:.3f} before the training and {near["after"]:.3f} after it, where 1 would be the same direction.
- **The common direction**: the mean cosine of a state with the mean of all states is {alike["t"]:.2f} for the teacher's states and {alike["m"]:.2f} for the targets."""
    )
)

# %% [markdown]
# **Read next**: [Does the premise hold?](05_premise.ipynb), which asks what such targets are worth before any training, or [Alignment and training](06_alignment.ipynb).
