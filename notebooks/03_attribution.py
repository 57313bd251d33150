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
# ## In short
#
# **Which layer of the teacher matters for a task?**
#
# - In the micro teacher, if the score sums magnitudes, layer 1 wins on all four tasks, or layer 2 where whole layer outputs are scored. In SmolLM2-135M-Instruct the same score gives the first layer on GSM8K. On MBPP its first and its last layer have nearly the same score, and the form of the text decides: one form gives the last layer ({numref}`tab-published-transfers`), the model's own chat format the first, as in the transfers of {numref}`tab-published-fair`.
# - Without the output of the first MLP the teacher predicts no task any more. At the MLP's output the largest score is at this layer, which everything needs. Summed by magnitudes, the score finds no layer of the micro teacher that is special to a task, and for the other layers it does not rank what a task needs.
# - If the score sums signed products, it gives other layers, which depend on the {term}`interface`, on the task, and on which rows are drawn.
# - **What this does not show**: whether any of these layers is a good place to train.
#
# :::{admonition} About this page
# - **Purpose**: find the teacher's *critical* layer for each task, the one with the largest score (the paper's Section 4.1), by Layer Gradient × Activation, and see how much that choice depends on what the paper leaves open.
# - **Cost**: about 90 seconds for the micro family on a CPU.
# - **Command**: `semalign run --profile micro --only 03`
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = ["models", "benchmarks"]

# %% tags=["hide-input"]
from statistics import mean

from IPython.display import display

from semalign.analysis.diagnosis.patching import PatchTest
from semalign.book import figures
from semalign.book.markdown import Markdown
from semalign.book.page import open_page
from semalign.book.tables.analyses import critical_layers
from semalign.book.tables.paper import title

page = open_page("03_attribution", profile, inputs)

# %%
import pandas as pd
import torch

from semalign import TransferSettings, load_model, pairing
from semalign.data.rows import batches
from semalign.experiments.inputs import training_rows
from semalign.experiments.profiles import load_profile
from semalign.models.architecture import INTERFACES, Architecture
from semalign.targets.attribution import attribute_units

settings = load_profile(profile)
teacher, student = load_model(settings.teacher), load_model(settings.student)
n_examples = TransferSettings().attribution_examples

# %% [markdown]
# ## The score
#
# SemAlign trains one layer of the student only. To choose it, {term}`attribution` gives every layer of the teacher a score. Activations $\mathbf h^{(\ell)}$ of layer $\ell$ are taken at an {term}`interface`: the output of its attention or of its MLP, both together (`residual`), or the layer's whole output (`layer`). The [objective](#decisions-the-objective-that-is-attributed) is the log-likelihood of the response, $J = \log p(\text{response} \mid \text{prompt})$. With tokens $t$ and channels $d$,
#
# $$
# A_\ell = \sum_{t, d} \Big| h^{(\ell)}_{t,d} \, \frac{\partial J}{\partial h^{(\ell)}_{t,d}} \Big| ,
# $$ (eq-attribution)
#
# averaged over rows, which gives one number for each layer. A layer has a large score if its activations are large where the objective reacts to them. `aggregation="signed"` omits the absolute value, so that positive and negative contributions cancel. The gradients come from captum's `LayerGradientXActivation` {cite}`kokhlikyan2020captum`.


# %%
def scores(examples, interface="mlp", batch_size=8):
    """Return both sums for each layer, which one pass gives; `semalign.attribute_layers` returns one of them."""
    found = attribute_units(teacher, batches(examples, batch_size), interface)
    return {aggregation: layers[:, 0] for aggregation, layers in found.items()}


encoded = {task: teacher.encode(training_rows(settings, task)[: 2 * n_examples]) for task in settings.tasks}
examples = {task: rows_of[:n_examples] for task, rows_of in encoded.items()}
found = pd.DataFrame(
    {"task": task, "interface": interface, "aggregation": aggregation, "layer": k, "score": score}
    for task in settings.tasks
    for interface in INTERFACES
    for aggregation, layers in scores(examples[task], interface).items()
    for k, score in enumerate(layers.tolist(), start=1)
)
print(len(found), "scores: a layer, task, interface and aggregation each")

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Attribution of the teacher's layers for each task at the MLP output, each task scaled to its largest score in magnitude. Absolute aggregation on a logarithmic scale (top) and signed aggregation (bottom). What to see: which layer is critical, whether it differs between tasks, and whether the sign of the sum matters.", "name": "fig-attribution"}, "image": {"alt": "Two heat maps, tasks by layers."}}
figure = figures.attribution_maps(found)
page.save(found, "attribution")

# %% tags=["remove-input"]
page.provenance("attribution")

# %% [markdown]
# ## What the open choices change
#
# The paper does not say at which [interface](#decisions-interface) layers are attributed. It aggregates the products and names no absolute value, which read literally is a signed sum; the default here sums magnitudes, and [Decisions](#decisions-the-objective-that-is-attributed) says why. The table gives the critical teacher layer $\ell_\star$ for each reading, and the student layer $k^\dagger$ with which the [pairing](04_pairing.ipynb) pairs it.

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
# ## What the score finds
#
# Two more measurements say what it means that a layer has the largest score. The first one replaces the MLP's output of one layer by zero, at all positions, and measures how much the {term}`response NLL` rises, that is, the mean negative log-likelihood of the response's tokens in nats. The second one computes the scores again from as many other training rows, and from many samples of the same rows, drawn with replacement.


# %% tags=["hide-input"]
def rises(task):
    """Return how far the response NLL rises without the MLP of each layer, in nats per token."""
    everywhere = [range(len(example)) for example in examples[task]]
    tests = [PatchTest(Architecture(teacher.model), examples[task], everywhere, k + 1, "mlp") for k in range(n_teacher)]
    own = mean(tests[0].own())
    return [mean(test.patched(None, 1.0)) - own for test in tests]


without = pd.DataFrame({title(task): rises(task) for task in settings.tasks})
without.insert(0, "layer without MLP", range(1, n_teacher + 1))
page.show_table(
    without,
    f"Rise of the teacher's response NLL if the output of one layer's MLP is zero, in nats per token, over {n_examples} training rows of each task.",
    "without-layer",
)

# %% tags=["hide-input"]
critical_by = found[found["interface"] == "mlp"].set_index("layer").groupby(["task", "aggregation"])["score"].idxmax()
others = {task: scores(rows_of[n_examples:]) for task, rows_of in encoded.items()}
each = {task: [scores([row], batch_size=1) for row in examples[task]] for task in settings.tasks}


def same_layers(aggregation):
    """Return for how many tasks other rows give the same critical layer."""
    return sum(int(others[task][aggregation].argmax()) + 1 == critical_by[task, aggregation] for task in settings.tasks)


def resampled(task, aggregation, n=1000):
    """Return the share of samples of the rows, drawn with replacement, in which the critical layer is the same."""
    layers = torch.stack([row[aggregation] for row in each[task]])
    drawn = torch.randint(len(layers), (n, len(layers)), generator=torch.Generator().manual_seed(0))
    best = layers[drawn].mean(1).argmax(1) + 1
    return float((best == critical_by[task, aggregation]).double().mean())


stable = {
    aggregation: [resampled(task, aggregation) for task in settings.tasks] for aggregation in ("absolute", "signed")
}
spans = {
    name: " to ".join(dict.fromkeys(f"{end(shares):.0%}" for end in (min, max))) for name, shares in stable.items()
}
first, deeper = without.iloc[0, 1:], without.iloc[1:, 1:]
n_tasks = len(settings.tasks)
same = {aggregation: same_layers(aggregation) for aggregation in ("absolute", "signed")}
display(
    Markdown(
        f"""- **Without the first MLP**, the response NLL rises by {first.min():.1f} to {first.max():.1f} nats per token, depending on the task; without any other one, by at most {deeper.max().max():.1f}.
- **With other rows**, the absolute sums give the same critical layer for {same["absolute"]} of {n_tasks} tasks, the signed sums for {same["signed"]} of {n_tasks} (at the MLP output).
- **With samples of the same rows**, the absolute sums give the same critical layer in {spans["absolute"]} of the samples, the signed sums in {spans["signed"]}, depending on the task."""
    )
)

# %% [markdown]
# The layer that every task needs has the largest score for every task, but the score does not rank the others: at the MLP's output the last layer has the smallest one on every task, and over these rows its removal costs the most in the mean after that of the first. So the score does not say where knowledge about *this* task is. Why the absolute sum is the default here all the same, and what the text of the paper allows, is said in [Decisions](#decisions-the-objective-that-is-attributed).
#
# ## Several processes
#
# On a node with four GPUs, `accelerate launch --multi_gpu --num_processes 4 -m semalign attribute MODEL --data TASK` shares out the batches over four processes and adds up their scores. Every process has the same result, which the first one prints. `transfer` is launched in the same way; the page [On a GPU node](several-gpus) says how on several machines.
#
# **Read next**: [Pairing](04_pairing.ipynb), which finds the student's layer for a critical teacher layer.
