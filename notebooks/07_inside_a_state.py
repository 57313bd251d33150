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
# # Inside a state
#
# ## In short
#
# **Which tokens' atoms are strongest in a single state?**
#
# - In the micro pair the strongest {term}`atoms <semantic atom>` of a {term}`target` are mostly not those of the teacher's state from which it was made. Part of this comes from the sum of atoms, which overlap: mapped onto the teacher itself, or onto a student whose atoms largely correspond to its own, a state keeps more of them, but on average less than one of five.
# - The student's own state, before any training, shares more atoms with the teacher's than the target does.
# - Steering changes few of the strongest atoms.
# - **What this does not show**: what holds for other texts and pairs. These are four texts of one pair; [Does the premise hold?](05_premise.ipynb) has more rows and several pairs.
#
# :::{admonition} About this page
# - **Purpose**: look at single hidden states: which semantic atoms are strongest in the teacher's state, which in the target that is made from it, and which in the student's own state before and after steering.
# - **Cost**: about 40 seconds on a CPU, most of it for the four short trainings of "after".
# - **Command**: `semalign run --profile micro --only 07`
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = ["models", "benchmarks"]

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from IPython.display import display

from semalign.analysis.inside import LAST, TOP, shared_atoms_share
from semalign.book.markdown import Markdown
from semalign.book.page import open_page
from semalign.book.state_explorer import VIEW_NAMES, all_lines, explorer, strongest_lines
from semalign.book.tables.paper import title

page = open_page("07_inside_a_state", profile, inputs)

# %% [markdown]
# The method rests on one idea: a hidden state can be read as a sum of {term}`semantic atoms <semantic atom>`, one for each token of the vocabulary ([Semantic basis](01_semantic_basis.ipynb)). The cosines of the teacher's state with its atoms are its coefficients, and the same coefficients with the student's atoms give the target ([Decomposition](02_decomposition.ipynb)). If atoms of the two models mean the same, more of the strongest atoms of the target should be those of the teacher than otherwise. They need not be all, even between a model and itself: the atoms overlap, so that their sum has other cosines with them than the coefficients.
#
# In {numref}`fig-inside-explorer`, both models read four texts, the first validation item of each benchmark with its answer. States here are the outputs of whole layers, although the method by default compares what the MLP adds ([Decisions](#decisions-interface)). For "after", {term}`steering` trains the student's layer in the middle towards such targets on 128 rows of the same benchmark, at ten times the paper's learning rate (on HumanEval a hundred times), so that ten steps show.

# %%
from semalign import load_model, transfer
from semalign.analysis.inside import INTERFACE, Inside
from semalign.experiments.inputs import held_out_rows, training_rows
from semalign.experiments.profiles import load_profile

settings = load_profile(profile)
teacher, student = load_model(settings.teacher), load_model(settings.student)
middle = student.model.config.num_hidden_layers // 2


def steered(task):
    return transfer(
        teacher,
        student,
        training_rows(settings, task)[:128],
        task=task,
        interface=INTERFACE,
        student_layer=middle,
        learning_rate=3e-3,
        epochs=5,
    )


def look(task, adapted):
    return Inside(teacher, student, adapted).look(student.encode(held_out_rows(settings, task)[0][:1])[0])


trained = {task: steered(task) for task in settings.tasks}
looks = {task: look(task, result.model) for task, result in trained.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "What the states of teacher and student say at a token and a layer that you choose: the tokens whose atoms are strongest, or those that the head reads. Each of four texts can be chosen. What to see: how far the target's strongest tokens are the teacher's, and how little the student's change by steering.", "name": "fig-inside-explorer"}}
display(explorer({title(task): found for task, found in looks.items()}, student.tokenizer.decode))

# %% tags=["remove-input"]
every = pd.concat(
    pd.DataFrame(all_lines(found, student.tokenizer.decode)).assign(task=task) for task, found in looks.items()
)
page.save(every, "inside-all")
steering = page.keep({task: result.record for task, result in trained.items()}, "steering")
page.provenance("inside-all", records=steering)

# %% [markdown]
# Bars and numbers are cosines of the state with an atom or, read by the head, probabilities. The token that comes next in the text is underlined where it appears. A target has the length of the student's own state, since alignment gives a direction only.
#
# {numref}`fig-inside` shows the same for the last token of the first text, at the last layer:

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Strongest atoms of the last state of the first text, at the last layers: teacher, target, student before and after. What to see: whether the target's strongest atoms are the teacher's, and whether the student's own state already has them.", "name": "fig-inside"}, "image": {"alt": "Four bar charts with five tokens each and their cosines."}}
lines = pd.DataFrame(strongest_lines(next(iter(looks.values())), student.tokenizer.decode))
page.save(lines, "inside")
figure, axes = plt.subplots(2, 2, figsize=(7, 5.2), layout="constrained")
for axis, (view, part) in zip(axes.flat, lines.groupby("view", sort=False), strict=True):
    sns.barplot(part.assign(rank=part["rank"].astype(str)), x="cosine", y="rank", ax=axis, color="tab:blue")
    axis.set_yticks(range(len(part)), part["atom"].map(repr))
    axis.set(title=VIEW_NAMES[view], xlabel="cosine", ylabel="")

# %% tags=["remove-input"]
page.provenance("inside", records=steering)

# %% [markdown]
# ## What the numbers say
#
# For comparison the teacher's states are also mapped onto the teacher itself, and onto `micro-sibling`, whose atoms largely correspond to the teacher's.

# %%
micro = load_profile("micro")
others = {name: load_model(name) for name in ("micro-teacher", "micro-sibling")}
unsteered = {
    name: [
        Inside(others["micro-teacher"], model, model).look(model.encode(held_out_rows(micro, task)[0][:1])[0])
        for task in micro.tasks
    ]
    for name, model in others.items()
}

# %% tags=["hide-input"]
shared = {view: 100 * shared_atoms_share(looks.values(), "teacher", view) for view in ("target", "before", "after")}
towards = {view: 100 * shared_atoms_share(looks.values(), "target", view) for view in ("before", "after")}
kept_by = {name: 100 * shared_atoms_share(found, "teacher", "target") for name, found in unsteered.items()}
from_trained = [{"layers": look["layers"][middle - 1 :]} for look in looks.values()]
kept = 100 * shared_atoms_share(from_trained, "before", "after")
chance = 100 * TOP / len(student.tokenizer)
display(
    Markdown(
        f"""Over the last {LAST} tokens of each text, all layers, and among the {TOP} strongest atoms of each state:

- **The teacher's state** shares {shared["target"]:.0f}% of them with its target, {shared["before"]:.0f}% with the student's state before steering and {shared["after"]:.0f}% after it. Atoms drawn at random would share {chance:.1f}%. With a target in the teacher's own space it shares {kept_by["micro-teacher"]:.0f}%, with one in the space of `micro-sibling` {kept_by["micro-sibling"]:.0f}%.
- **The target** shares {towards["before"]:.0f}% with the student's state before steering and {towards["after"]:.0f}% after it.
- **The student's states** before and after steering share {kept:.0f}% from the trained layer on; nothing can change below it."""
    )
)

# %% [markdown]
# **Read next**: [Evaluation](08_evaluation.ipynb), for the scores of trained students.
