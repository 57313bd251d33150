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
# - **Purpose**: assign a teacher layer to each student layer (Section 4.1), find the student layer for a critical teacher layer, and draw Fig. 3 from a real pair.
# - **Cost**: about 40 seconds for the micro family on a CPU.
# - **Command**: `semalign run --profile micro --only 04`

# %% tags=["parameters"]
profile = "micro"
inputs = ["models", "benchmarks"]

# %% tags=["hide-input"]
from semalign.book import figures
from semalign.book.page import open_page

page = open_page("04_pairing", profile, inputs)

# %%
import torch

from semalign import SemanticBasis, alignment_map, attribute_layers, load_model, transfer
from semalign.data.rows import batches, encode, pad
from semalign.data.tasks import rows
from semalign.experiments.profiles import load_profile
from semalign.models.architecture import Architecture
from semalign.models.capture import states_at
from semalign.targets.pairing import LayerMap

settings = load_profile(profile)
teacher, student = load_model(settings.teacher), load_model(settings.student)

# %% [markdown]
# ## The layer map
#
# Student layer $k$ of $L_S$ pairs with teacher layer
#
# $$
# \ell_k^T = \max\!\left(1, \left\lfloor \tfrac{L_T}{L_S} k \right\rfloor\right).
# $$ (eq-pairing)
#
# A critical teacher layer $\ell_\star^T$ is paired with the nearest student layer that is as deep or deeper, $k^\dagger = \min\{k : \ell_k^T \ge \ell_\star^T\}$. Layers count from 1. The last column shows the interpolated alternative, which mixes the two teacher layers around the student's exact depth $L_T\, k / L_S$.

# %%
layer_map = LayerMap(Architecture(teacher.model).n_layers, Architecture(student.model).n_layers)
print(layer_map)

# %% [markdown]
# With $L_T \ge L_S$ the map never uses a teacher layer twice: $\lfloor L_T k / L_S \rfloor$ grows by at least 1 with each $k$. Instead it *skips* teacher layers, and $k^\dagger$ is needed for those. Sharing, which the paper mentions, needs a teacher with fewer layers than the student. You can override single pairs of the map:

# %%
print(LayerMap(5, 4, override={3: 4}))

# %% [markdown]
# ## Fig. 3 from a real pair
#
# The paper's Fig. 3 is a sketch of the whole method. The figure below shows the same three steps with numbers, in the paper's colours: the layer map, with the teacher's attribution as bars; the teacher's states at the paired layer, the targets that the map $M$ makes of them in the student's space, and the student's own states before any training; and these states after the training of [the next page](05_alignment.ipynb), which changes the paired layer only.

# %%
task = "micro_gsm8k" if "micro_gsm8k" in settings.tasks else next(iter(settings.tasks))
train_rows = rows(task, "train", 32)
scores = attribute_layers(teacher, batches(encode(train_rows, teacher.tokenizer, 512), 8))
layer, k = layer_map.pair(1 + int(scores.argmax()))


@torch.no_grad()
def response_states(model, number):
    examples = encode(train_rows[:12], model.tokenizer, 512)
    states = states_at(Architecture(model.model), [number], "mlp", *pad(examples))[number]
    return torch.cat([states[i, list(example.positions())] for i, example in enumerate(examples)])


h_teacher, h_before = response_states(teacher, layer), response_states(student, k)
all_rows = rows(task, "train", settings.tasks[task].train_size)
h_after = response_states(transfer(teacher, student, all_rows, task=task, **settings.settings_for(task)).model, k)
targets = h_teacher @ alignment_map(SemanticBasis.from_model(teacher), SemanticBasis.from_model(student))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The three steps of the paper's Fig. 3 for a real pair. 1: dashed lines join paired layers, bars are the teacher's attribution, orange is the pair that the critical layer leads to, Δ the layer that is trained. 2: response positions at that pair, with a mark for what comes next: teacher states (orange), the targets made from them (grey) and the student's own states (blue) on the plane of the targets. 3: the same after the training. What to see: whether the targets keep the teacher's grouping, and how far the student's states come towards them.", "name": "fig-pairing"}, "image": {"alt": "Columns of teacher and student layers joined by dashed lines, and three scatter plots: teacher states, targets with the student's states before the training, and targets with them after it."}}
examples = encode(train_rows[:12], student.tokenizer, 512)
kinds = figures.kinds_of([e.tokens[i + 1] for e in examples for i in e.positions()])
points = figures.cloud_table(figures.clouds(h_teacher, targets, h_before, h_after), kinds)
figure = figures.layer_pairs(layer_map, scores.tolist(), k, points)
page.save(points, "pairing")

# %% tags=["remove-input"]
page.provenance("pairing")
