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
# # Alignment and training
#
# ## In short
#
# **What does the paper's objective do to the layer that it trains?**
#
# - In `micro-student`, under the paper's settings, both losses fall. On {term}`held-out <held out>` rows the layer's states come closer to the {term}`targets <target>`, but stay far from them, and the student predicts the responses worse than before.
# - At ten times the rate, on fewer rows, the states come closer still. The predictions of both students on GSM8K are then worse than before whatever is changed, except with cross-entropy alone; they suffer least where cross-entropy is the output term or a late layer is trained. On MMLU cross-entropy as the output term, the last pair and comparing the layer's whole output leave the predictions about as they were or better. So does the late layer of signed attribution in `micro-student`, but not in `micro-sibling`. All other changes at that rate leave a higher mean loss there, by much in `micro-student`; in `micro-sibling` by little with many of them, which the tables do not test against the student as it is. Comparing the whole output and signed attribution also lead to another pair of layers, so that the two are not told apart.
# - Of all changes only cross-entropy without the layer term lowers the mean loss on both benchmarks; on GSM8K in `micro-sibling` it hardly does, and not with every seed. Beside the layer term cross-entropy lowers it on MMLU in both students, by less. Many more steps of the paper's objective, followed with one seed, end at a higher loss on MMLU and GSM8K in both students ({numref}`fig-curves`, {numref}`fig-curves-sibling`).
# - **What this does not show**: scores, which are in [Evaluation](08_evaluation.ipynb). The first transfer is one task and one seed of `micro-student`; the changed settings are two tasks and three seeds, for both students.
#
# :::{admonition} About this page
# - **Purpose**: make the targets (the paper's Section 4.2), train one student layer on them (its Section 4.3), and follow both cosine losses; then repeat this with one setting changed at a time.
# - **Cost**: about 100 seconds for the micro family on a CPU. The transfers with one changed setting are read from run records; those without a current record are *not run*.
# - **Command**: `semalign run --profile micro --only 06`. `semalign compare --profile micro-changes`, and `--profile sibling-changes` for the second student, make the records.
# :::

# %% tags=["parameters"]
profile = "micro"
inputs = ["models", "benchmarks", "results/micro-changes", "results/sibling-changes"]

# %% tags=["hide-input"]
from IPython.display import display

from semalign.book import figures
from semalign.book.markdown import Markdown
from semalign.book.page import open_page
from semalign.book.tables.paper import title
from semalign.results.records import write_record

page = open_page("06_alignment", profile, inputs)

# %%
import tempfile
from pathlib import Path

import semalign
from semalign.book.comparison import Comparison
from semalign.book.tables import one_change
from semalign.experiments.inputs import held_out_rows, training_rows
from semalign.experiments.profiles import load_profile

settings = load_profile(profile)
task = "micro_gsm8k" if "micro_gsm8k" in settings.tasks else next(iter(settings.tasks))
teacher, student = semalign.load_model(settings.teacher), semalign.load_model(settings.student)
train, (held_out, _) = training_rows(settings, task), held_out_rows(settings, task)
scratch = Path(tempfile.mkdtemp())

# %% [markdown]
# ## What is minimised
#
# Layer $k$ of the student gets a LoRA {term}`adapter` on its up, down, value and output matrices ([Decisions](#decisions-what-trains)); everything else is frozen. Two cosines are maximised. The first is that between the student's state $\mathbf h^{(k)}$ at the {term}`interface`, by default the output of the MLP, and its {term}`target` $\mathbf h^{(k)}_*$, the aligned teacher state. The second is that between the student's logits $\mathbf z$ and the one-hot vector $\mathbf y^\text{oh}$ of the next token. Averages are over [supervised positions](#decisions-supervised-positions), those whose next token belongs to the response:
#
# $$
# \mathcal L = \underbrace{1 - \operatorname{Avg}\big[\cos(\mathbf h^{(k)}, \mathbf h^{(k)}_*)\big]}_{\mathcal L_\text{layer}} + \underbrace{1 - \operatorname{Avg}\big[\cos(\mathbf z, \mathbf y^\text{oh})\big]}_{\mathcal L_\text{out}} .
# $$ (eq-objective)
#
# Two things make this fast without changing the result. Tests compare both with the plain computation in float64, for losses and gradients.
#
# * Nothing below layer $k$ trains, so the states that enter it never change. They are computed once and kept on disk, and only layers $k..L$ run.
# * $\cos(\mathbf z, \mathbf y)$ needs no logits: $\langle \mathbf z, \mathbf y^\text{oh} \rangle = \mathbf w_y^\top \mathbf h$ and $\lVert \mathbf z \rVert^2 = \mathbf h^\top (W^\top W)\, \mathbf h$, a $D \times D$ form instead of $V$ logits. Here $\mathbf h$ is the student's last state after the final norm (not $\mathbf h^{(k)}$), $y$ the right token and $\mathbf w_y$ its row of the head.
#
# ## One transfer under the paper's settings

# %%
result = semalign.transfer(
    teacher, student, train, validation=held_out, task=task, output_dir=scratch / "run", **settings.settings_for(task)
)
details = result.record["details"]
print(f"teacher layer {details['teacher_layers'][0][0]} supervises student layer {details['student_layer']}; "
      f"{details['adapter_parameters']:,} adapter parameters train, {result.record['seconds']:.0f} s in all")  # fmt: skip

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Both terms of the objective over the training steps of one transfer under the paper's settings. What to see: how far each falls; the layer term starts near 1, as the student's states are unrelated to the targets.", "name": "fig-training"}, "image": {"alt": "Two falling curves over training steps."}}
losses = figures.loss_table(result.record["losses"])
axis = figures.training_losses(losses)
page.save(losses, "training")
record_path = scratch / "training-record.json"
write_record(record_path, result.record)

# %% tags=["remove-input"]
page.provenance("training", records=record_path)

# %% [markdown]
# ### Was the training long enough?

# %% tags=["hide-input"]
falls = [term["layer"] for term in result.record["losses"]]
half = len(falls) // 2
was, now = details["before"], details["after"]
display(
    Markdown(
        f"""- **Steps**: {details["steps"]} in all. The layer term falls by {falls[0] - falls[half]:.3f} in the first half and by {falls[half] - falls[-1]:.3f} in the second, in which the learning rate goes to zero. Its final value is {falls[-1]:.3f}, where 0 would mean that the targets are reached.
- **Weights**: the trained matrices change by {details["weight_change"]:.1%} of their norm.
- **{len(held_out)} held-out rows** of {title(task)}, before → after: layer cosine {was["layer_cosine"]:.3f} → {now["layer_cosine"]:.3f}, output cosine {was["output_cosine"]:.3f} → {now["output_cosine"]:.3f}, response NLL over all their response tokens {was["response_nll"]:.4f} → {now["response_nll"]:.4f} nats per token."""
    )
)

# %% [markdown]
# This run has the rows, epochs and rate of the paper's Table 5, and it ends far from the targets. So it does not show how a student behaves once it reaches them. More steps at this rate bring the states much closer and raise the loss further: {numref}`fig-curves` follows such trainings. The next section raises the rate instead, so that a few steps suffice; [Does the premise hold?](05_premise.ipynb) puts the targets themselves in place of the student's states.
#
# ## One thing at a time
#
# Here the transfer runs on the first 100 training rows only, in batches of 32 and at ten times the paper's learning rate, and each line of the table changes one setting. That gives only 20 steps, and at the paper's rate they hardly move the student (line *rate of the paper*). Three quantities are measured on held-out rows of the training distribution (never the test split): the layer cosine, the output cosine, and the {term}`response NLL`, the negative log-likelihood of the response's tokens, which is what matters for next-token prediction. The [table of settings](#table-of-settings) says what each setting means. The trainings are read from run records. One of them is `semalign.transfer(teacher, student, train[:100], batch_size=32, learning_rate=3e-3, output_loss="cross_entropy")`.

# %% tags=["hide-input"]
TABLES = {
    "micro-changes": {"micro_gsm8k": "variants", "micro_mmlu": "variants-mmlu"},
    "sibling-changes": {"micro_gsm8k": "variants-sibling", "micro_mmlu": "variants-sibling-mmlu"},
}
changed = {name: Comparison(load_profile(name)) for name in TABLES}
for name, few in changed.items():
    lines = one_change.differences(few.profile, few.records)
    page.save(lines, {"micro-changes": "one-change", "sibling-changes": "one-change-sibling"}[name])
    if few.lacking:
        print(few.lacking)
    for task, called in TABLES[name].items():
        pair = f"{few.profile.teacher} → {few.profile.student}"
        page.show_table(
            one_change.variant_table(few.profile, few.records, lines, task),
            f"{title(task)}, {pair}, 100 rows in batches of 32 at ten times the paper's rate, with one setting changed. Cosines and response NLL (nats per token) are over the response tokens of {few.profile.held_out} held-out rows, means over seeds (for *all positions* the cosines are over the prompt too, so that they do not compare with the other lines); *mean share* is the share of the targets' energy in their mean direction. For *targets centred*, layer cosine and mean share are of the targets before centring. The last column is a mean over rows, which all count alike, while all tokens count alike in the NLL, so that it is not exactly a difference of these; it has ± half of the 95% interval over rows and seeds, bold where the p value, corrected by Holm's procedure, is below 0.05. Lower NLL is better.",
            called,
            decimals=3,
            command=few.command,
            records=[path for path in few.paths if task in path.name],
            fold="" if called == "variants" else f"The same for {few.profile.student} on {title(task)}",
        )

# %% [markdown]
# ## How to read the table
#
# *Layers* has the teacher layer and the student layer of the pair. For the student as it is, the layer cosine is that at the MLP's output of the first line's pair; lines with another interface or pair began at other values. A line in bold differs from *nothing changed* by more than chance: its $p$, corrected for the lines of both benchmarks, is below 0.05. Two properties of the loss help to read the other columns of {numref}`tab-variants`.
#
# * $\cos(\mathbf z, \mathbf y^\text{oh})$ is largest when *every* other logit is zero. A language model's logits have a common offset, which means nothing for probabilities, and a spread, which means much. The paper's output term rewards removing both. The centred form ignores the offset.
# * Part of the targets is one fixed direction; *mean share* is how much of their energy it holds. A layer whose output were this one direction at every position would have a layer cosine of the square root of the mean share, without having learned anything about any particular position. No line of `micro-student` reaches that; `micro-sibling` begins above it on GSM8K.
#
# ## Use the result
#
# The result is a PEFT adapter folder. Load it with `PeftModel.from_pretrained(model, folder)`, where `model` is the student as Transformers loads it, merge it with `merge_and_unload()`, or serve it like any LoRA. `record.json` in the same folder says how it was made.
#
# **Read next**: [Inside a state](07_inside_a_state.ipynb) for single states before and after such a training, or [Evaluation](08_evaluation.ipynb) for the scores.
