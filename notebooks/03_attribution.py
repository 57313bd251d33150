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
# # Attribution
#
# - **Purpose**: find the teacher's critical layer for each task (Section 4.1) by Layer Gradient × Activation, and see how much that choice depends on what the paper leaves open.
# - **Cost**: under a minute for the micro family on a CPU.
# - **Command**: `semalign run --profile micro --only 03`

# %% tags=["parameters"]
profile = "micro"

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns

from semalign import attribute_layers, load_model, pairing
from semalign.book.theme import apply_theme, provenance, save_figure_data, table
from semalign.data.rows import batches, encode
from semalign.data.tasks import rows
from semalign.experiments.profiles import load_profile
from semalign.models.architecture import INTERFACES, Architecture
from semalign.settings import TransferSettings

apply_theme()
settings = load_profile(profile)
teacher = load_model(settings.teacher)
context = teacher.context_length
n_examples = TransferSettings().attribution_examples

# %% [markdown]
# ## The score
#
# For layer $\ell$ with activations $\mathbf h^{(\ell)}$ at the supervision interface and the supervised objective $J = \log p(\text{response} \mid \text{prompt})$,
#
# $$
# A_\ell = \sum_{t, d} \Big| h^{(\ell)}_{t,d} \, \frac{\partial J}{\partial h^{(\ell)}_{t,d}} \Big| ,
# $$ (eq-attribution)
#
# averaged over examples: one number for each layer. `aggregation="signed"` leaves the bars out, so that parts that help and parts that hurt cancel. The gradients come from captum's `LayerGradientXActivation` {cite}`kokhlikyan2020captum`.


# %%
def scores(task, interface="mlp", aggregation="absolute"):
    examples = encode(rows(task, "train", n_examples), teacher.tokenizer, context)
    return attribute_layers(teacher, batches(examples, 8), interface, aggregation=aggregation).tolist()


found = pd.DataFrame(
    {"task": task, "interface": interface, "aggregation": aggregation, "layer": k, "score": score}
    for task in settings.tasks
    for interface in INTERFACES
    for aggregation in ("absolute", "signed")
    for k, score in enumerate(scores(task, interface, aggregation), start=1)
)
save_figure_data(found, "attribution")
found.head(3)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Attribution of the teacher's layers for each task at the MLP output, each row scaled to its largest score. Absolute (left) and signed (right) aggregation. What to see: which layer is critical, whether it differs between tasks, and whether the sign of the sum matters.", "name": "fig-attribution"}, "image": {"alt": "Two heat maps, tasks by layers."}}
figure, axes = plt.subplots(1, 2, figsize=(10, 2.8), sharey=True)
for axis, aggregation, colours, low in zip(axes, ("absolute", "signed"), ("viridis", "vlag"), (0, -1)):
    part = found[(found["interface"] == "mlp") & (found["aggregation"] == aggregation)]
    matrix = part.pivot(index="task", columns="layer", values="score")
    matrix = matrix.div(matrix.abs().max(axis=1), axis=0)
    sns.heatmap(
        matrix,
        ax=axis,
        cmap=colours,
        vmin=low,
        vmax=1,
        annot=matrix.shape[1] <= 12,
        fmt=".1f",
        annot_kws={"size": 8},
        cbar_kws={"shrink": 0.8},
    )
    axis.set(title=f"{aggregation}", xlabel="teacher layer", ylabel="")
plt.show()

# %% tags=["remove-input"]
provenance("notebooks/03_attribution.py", "attribution", f"semalign run --profile {profile} --only 03")

# %% [markdown]
# ## What the open choices change
#
# The paper does not say at which interface layers are attributed, nor how the products add up. The table gives the critical teacher layer $\ell_\star$ for each reading, and the student layer $k^\dagger$ that the [pairing](04_pairing.ipynb) makes of it.

# %% tags=["hide-input"]
n_teacher = Architecture(teacher.model).n_layers
n_student = Architecture(load_model(settings.student).model).n_layers


def critical(part):
    layer = int(part.loc[part["score"].idxmax(), "layer"])
    return f"{layer} → {pairing.student_layer(layer, n_teacher, n_student)}"


choices = pd.DataFrame(
    {
        "task": task,
        "aggregation": aggregation,
        **{interface: critical(part[part["interface"] == interface]) for interface in INTERFACES},
    }
    for (task, aggregation), part in found.groupby(["task", "aggregation"], sort=False)
)
save_figure_data(choices, "critical-layers")
table(
    choices,
    "Critical teacher layer → paired student layer, for each task, aggregation and interface.",
    "tab-critical-layers",
)

# %% tags=["remove-input"]
provenance("notebooks/03_attribution.py", "critical-layers", f"semalign run --profile {profile} --only 03")

# %% [markdown]
# ## Several processes
#
# On a node with several GPUs, `torchrun --nproc-per-node 4 $(which semalign) attribute MODEL --data TASK` shares the batches out and adds the scores up; every process ends with the same numbers.
