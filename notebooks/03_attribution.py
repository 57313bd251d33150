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
# - **Cost**: about 45 seconds for the micro family on a CPU.
# - **Command**: `semalign run --profile micro --only 03`

# %% tags=["parameters"]
profile = "micro"
inputs = ["models", "benchmarks"]

# %% tags=["hide-input"]
from semalign.book import figures
from semalign.book.page import open_page
from semalign.book.tables.analyses import critical_layers

page = open_page("03_attribution", profile, inputs)

# %%
import pandas as pd

from semalign import TransferSettings, attribute_layers, load_model, pairing
from semalign.data.rows import batches, encode
from semalign.data.tasks import rows
from semalign.experiments.profiles import load_profile
from semalign.models.architecture import INTERFACES, Architecture

settings = load_profile(profile)
teacher, student = load_model(settings.teacher), load_model(settings.student)
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
# averaged over rows: one number for each layer. `aggregation="signed"` omits the absolute value, so that positive and negative contributions cancel. The gradients come from captum's `LayerGradientXActivation` {cite}`kokhlikyan2020captum`.


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
found.head(3)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Attribution of the teacher's layers for each task at the MLP output, each task scaled to its largest score. Absolute aggregation on a logarithmic scale (top) and signed aggregation (bottom). What to see: which layer is critical, whether it differs between tasks, and whether the sign of the sum matters.", "name": "fig-attribution"}, "image": {"alt": "Two heat maps, tasks by layers."}}
figure = figures.attribution_maps(found)
page.save(found, "attribution")

# %% tags=["remove-input"]
page.provenance("attribution")

# %% [markdown]
# ## What the open choices change
#
# The paper does not say at which interface layers are attributed, nor how the products are summed. The table gives the critical teacher layer $\ell_\star$ for each reading, and the student layer $k^\dagger$ with which the [pairing](04_pairing.ipynb) pairs it.

# %%
n_teacher, n_student = Architecture(teacher.model).n_layers, Architecture(student.model).n_layers
first_task = found[(found["task"] == found["task"][0]) & (found["interface"] == "mlp")]
absolute = first_task[first_task["aggregation"] == "absolute"].set_index("layer")["score"]
critical = int(absolute.idxmax())
print(
    f"teacher layer {critical} of {n_teacher} supervises student layer",
    pairing.student_layer(critical, n_teacher, n_student),
)

# %% tags=["hide-input"]
page.show_table(
    critical_layers(found, n_teacher, n_student),
    "Critical teacher layer → paired student layer, for each task, aggregation and interface.",
    "critical-layers",
)

# %% [markdown]
# ## Several processes
#
# On a node with four GPUs, `accelerate launch --multi_gpu --num_processes 4 -m semalign attribute MODEL --data TASK` shares out the batches over four processes and adds up their scores. Every process has the same result, which the first one prints. `transfer` is launched in the same way; the [quick start](several-gpus) says how on several machines.
