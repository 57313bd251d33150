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
# - **Purpose**: give each student layer a teacher layer (Section 4.1), find the student's partner of a critical teacher layer, and draw Fig. 3 from a real pair.
# - **Cost**: under a minute for the micro family on a CPU.
# - **Command**: `semalign run --profile micro --only 04`

# %% tags=["parameters"]
profile = "micro"

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch

from semalign import TransferSettings, load_model
from semalign.book.theme import apply_theme, provenance, save_figure_data
from semalign.data.rows import pad
from semalign.data.tasks import rows
from semalign.experiments.profiles import load_profile
from semalign.models.architecture import Architecture
from semalign.models.capture import states_at
from semalign.targets.builder import ModelPair
from semalign.targets.pairing import LayerMap

apply_theme()
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
# A critical teacher layer $\ell_\star^T$ goes to the nearest student layer that is as deep or deeper, $k^\dagger = \min\{k : \ell_k^T \ge \ell_\star^T\}$. Layers count from 1. The last column shows the interpolated alternative, which mixes the two teacher layers around the student's exact depth $L_T\, k / L_S$.

# %%
layer_map = LayerMap(Architecture(teacher.model).n_layers, Architecture(student.model).n_layers)
print(layer_map)

# %% [markdown]
# With $L_T \ge L_S$ the map never uses a teacher layer twice: $\lfloor L_T k / L_S \rfloor$ grows by at least 1 with each $k$. It *skips* teacher layers, and those are the ones that $k^\dagger$ is for. Sharing, which the paper mentions, needs a teacher with fewer layers than the student. A map can be corrected where you know better:

# %%
print(LayerMap(5, 4, override={3: 4}))

# %% [markdown]
# ## Fig. 3 from a real pair
#
# The paper's Fig. 3 is a sketch of the whole method. Here are the same three steps with numbers: the map with the teacher's attribution as colour; the teacher's states at the paired layer and the targets that the map $M$ makes of them in the student's space, each on the plane of its own largest spread; and where the student's own states are before any training.

# %% tags=["hide-input"]
task = "micro_gsm8k" if "micro_gsm8k" in settings.tasks else next(iter(settings.tasks))
pair = ModelPair(teacher, student, TransferSettings())
train_rows = rows(task, "train", 32)
mixture, k, scores = pair.choose_layers(train_rows)
layer = mixture[0][0]
alignment = pair.alignment()


@torch.no_grad()
def response_states(model, number, examples):
    input_ids, mask = pad(examples)
    states = states_at(Architecture(model.model), [number], "mlp", input_ids, mask)[number]
    return torch.cat([states[i, list(example.positions())] for i, example in enumerate(examples)])


student_examples, teacher_examples = pair.encode(train_rows[:12])
h_teacher = response_states(teacher, layer, teacher_examples)
targets = h_teacher @ alignment
h_student = response_states(student, k, student_examples)
tokens = [e.tokens[i + 1] for e in student_examples for i in e.positions()]
kind = np.where(
    [t.strip("Ġ").isdigit() for t in tokens],
    "digit next",
    np.where([t.startswith("Ġ") for t in tokens], "word next", "other"),
)


def plane_of(states):
    unit = torch.nn.functional.normalize(states, dim=-1)
    centred = unit - unit.mean(0)
    return torch.linalg.svd(centred, full_matrices=False).Vh[:2]


def project(states, plane):
    return (torch.nn.functional.normalize(states, dim=-1) @ plane.T).numpy()


student_plane = plane_of(targets)
clouds = {
    f"teacher, layer {layer}": project(h_teacher, plane_of(h_teacher)),
    "targets, student's space": project(targets, student_plane),
    f"student, layer {k}, before": project(h_student, student_plane),
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The paper's Fig. 3 from a real pair. Left: dashed lines join paired layers, colour is the teacher's attribution, the thick line is the pair that the critical layer leads to. Right: response positions at that pair, coloured by what comes next; teacher states, the targets made from them, and the student's own states on the targets' plane. What to see: whether targets keep the teacher's grouping, and how far the student's states are from them.", "name": "fig-pairing"}, "image": {"alt": "Layer columns joined by dashed lines, and three scatter plots of hidden states."}}
figure, axes = plt.subplots(1, 4, figsize=(12, 3.9), width_ratios=[1.05, 1, 1, 1])
norm = plt.Normalize(0, max(scores))
height = layer_map.n_teacher
for number, score in enumerate(scores, start=1):
    axes[0].add_patch(plt.Rectangle((0, number - 0.4), 0.8, 0.8, color=plt.cm.viridis(norm(score))))
    axes[0].text(-0.15, number, number, ha="right", va="center", fontsize=8)
place = {number: number * height / layer_map.n_student for number in range(1, layer_map.n_student + 1)}
for number, paired in layer_map:
    chosen = number == k
    axes[0].add_patch(plt.Rectangle((2.4, place[number] - 0.4), 0.8, 0.8, color="tab:orange" if chosen else "0.8"))
    axes[0].text(3.35, place[number], number, ha="left", va="center", fontsize=8)
    axes[0].plot([0.8, 2.4], [paired, place[number]], "k-" if chosen else "k--", lw=2 if chosen else 0.7)
axes[0].set(xlim=(-0.8, 4), ylim=(0.2, height + 0.8), title="teacher   student")
axes[0].axis("off")
figure.colorbar(plt.cm.ScalarMappable(norm, "viridis"), ax=axes[0], shrink=0.6, label="attribution", location="left")
for axis, (title, cloud) in zip(axes[1:], clouds.items()):
    sns.scatterplot(
        x=cloud[:, 0],
        y=cloud[:, 1],
        hue=kind,
        style=kind,
        ax=axis,
        s=18,
        legend=axis is axes[1],
        hue_order=["digit next", "word next", "other"],
        style_order=["digit next", "word next", "other"],
    )
    axis.set(title=title, xticks=[], yticks=[])
axes[1].legend(fontsize=7, loc="best")
figure_data = pd.concat(
    pd.DataFrame({"panel": title, "x": c[:, 0], "y": c[:, 1], "next": kind}) for title, c in clouds.items()
)
save_figure_data(figure_data, "pairing")
plt.show()

# %% tags=["remove-input"]
provenance("notebooks/04_pairing.py", "pairing", f"semalign run --profile {profile} --only 04")
