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
# # Published weights
#
# - **Purpose**: the four real benchmarks and one transfer on weights that others trained, SmolLM2-135M-Instruct {cite}`allal2025smollm2`, small enough for a CPU.
# - **Cost**: seconds; all numbers are read from committed run records, and what has none is *not run*. To make them takes hours on two cores.
# - **Command**: `semalign run --only 09`; those that make the records stand below.

# %% tags=["parameters"]
profile = "micro"
inputs = ["published", "results/small", "results/speed"]

# %% tags=["hide-input"]
import json

from IPython.display import display

from semalign.book.markdown import Markdown, commands
from semalign.book.page import open_page
from semalign.book.tables.published import benchmark_table, engine_text, transfer_table

page = open_page("09_published_weights", profile, inputs)

# %%
import pandas as pd

from semalign.book.tables.published import BENCHMARKS, record_of
from semalign.paths import data_dir, results_dir

folder = results_dir() / "small"
scores = {task: record_of(folder / "smollm2-135m" / f"{task}.json") for task in BENCHMARKS}

# %% [markdown]
# ## The four benchmarks
#
# Each in the form that its task file fixes ([Decisions](../decisions.md)): zero-shot, Tulu's chat format, the answer begun for the model. That is the protocol of the prior work for Llama 2. It does not suit this model, which was trained on another chat format: it shows that the benchmarks run on published weights and what they cost, not what the model is capable of. The published figures are those of its model card, for other forms of the tasks, so they give only the rough range to expect.

# %% tags=["hide-input"]
SCORE = """for task in gsm8k humaneval_greedy humaneval mbpp; do
  [ $task = humaneval ] && batch=820 || batch=256
  semalign evaluate smollm2-135m --engine vllm --vllm max_model_len=2048 --task $task --batch-size $batch \\
    --out data/results/small/smollm2-135m
done
semalign evaluate smollm2-135m --task mmlu --limit 20 --batch-size 16 --out data/results/small/smollm2-135m"""
card = pd.read_csv(data_dir() / "published" / "smollm2-135m-instruct.csv").set_index("task")
page.show_table(
    benchmark_table(scores, card),
    "SmolLM2-135M-Instruct on the test splits, in percent, with 95% intervals over the items (Wilson's; with 20 samples of each the bootstrap's over items, unless all have the same share). MMLU: 20 items of each of its 57 subjects. Minutes: on one or two CPU cores, some beside other work, with the loading of the engine.",
    "published-scores",
    decimals=1,
)
display(commands("The records are made by", SCORE))

# %% tags=["hide-input"]
if (run := results_dir() / "speed" / "backends.json").is_file():
    display(
        Markdown(
            f"MMLU was scored by transformers, which reads all four letters off one pass; texts were written by vLLM, "
            f"which takes in new rows as others end, where a batch of transformers goes on until its longest answer "
            f"ends. {engine_text(json.loads(run.read_text()))} (`data/results/speed/backends.json`, made by "
            f"`benchmarks/backend_speed.py`)."
        )
    )

# %% [markdown]
# ## A transfer into a student cut from its teacher
#
# The student is SmolLM2-135M-Instruct without every third layer, and with the residual stream of what is left turned into its principal directions and cut from 576 to 504 of them, as SliceGPT {cite}`ashkboos2024slicegpt` does, but with one rotation for all layers. So teacher and student differ in depth and width, share a vocabulary, and the student has something to regain. Steering is on one layer, the one that attribution and depth map choose. Three objectives on the same rows in the same order: the paper's two cosines; the cosine of layers towards a map whose atoms are permuted, which keeps the form and none of the semantics; and cross-entropy alone.

# %%
objectives = {"literal": "the paper's", "permuted-atoms": "permuted atoms", "cross-entropy": "cross-entropy alone"}
transfers = {
    (task, called): record_of(folder / f"transfer-cut-{task}-{name}.json")
    for task in ("gsm8k", "mbpp")
    for name, called in objectives.items()
}
for (task, called), record in transfers.items():
    if record is not None:
        before, after = (record["details"][when]["response_nll"] for when in ("before", "after"))
        print(f"{task}, {called}: response NLL {after - before:+.3f}")

# %% tags=["hide-input"]
CUT = """semalign fetch smollm2-135m
semalign drop-layers smollm2-135m --every 3 --out ~/.cache/semalign/models/smollm2-135m-every-third-dropped
semalign slice smollm2-135m-every-third-dropped --width 504 --data gsm8k --out ~/.cache/semalign/models/smollm2-135m-cut
for task in gsm8k mbpp; do
  for run in literal permuted-atoms cross-entropy; do
    case $run in
      literal) objective="" ;;
      permuted-atoms) objective="-s map=permuted" ;;
      cross-entropy) objective="-s output_loss=cross_entropy -s layer_weight=0" ;;
    esac
    semalign transfer smollm2-135m smollm2-135m-cut --data $task --examples 100 --hold-out 100 \\
      -s epochs=3 -s batch_size=16 -s micro_batch_size=8 $objective --out runs/transfer-cut-$task-$run
    cp runs/transfer-cut-$task-$run/record.json data/results/small/transfer-cut-$task-$run.json
  done
done"""
page.show_table(
    transfer_table(transfers),
    "From SmolLM2-135M-Instruct into the student that was cut from it, before → after: response NLL in nats a token on held-out rows, and the mean cosine of the student's states to the aligned teacher states. That of permuted atoms is to states aligned by the permuted map, that of cross-entropy to the paper's, which it does not look at. Minutes: on one CPU core beside other work, of the last part of a run that was stopped.",
    "published-transfers",
)
display(commands("The records are made by", CUT))

# %% [markdown]
# ## Reading
#
# Of the scores:
#
# - **The form is not the model's.** In it MMLU is at chance, 25, and GSM8K near zero, as on the model card.
# - **HumanEval is zero for a reason**: with the function's head in the question and again at the beginning of the answer, the model mostly closes the fence at once, as if the head were the whole function. On MBPP, where only the fence is open, it writes programs and passes some.
#
# Of the transfers, with one seed, 100 held-out rows and no interval:
#
# - **Cross-entropy lowers the NLL most** on both tasks, and leaves the layer cosine where it was. So here, too, closeness to the aligned states and a better student are two things.
# - **The paper's objective raises the layer cosine** by 0.04 on both, as it should; the NLL falls on GSM8K and does not on MBPP.
# - **Permuted atoms** harm on GSM8K, where the paper's objective helps, and do not on MBPP, where it does not. So on GSM8K it matters here which atoms belong together, unlike on the micro pair; one seed cannot tell whether by chance. What the paper's objective gains there is less than a third of what labels gain.
# - **Nothing heals the cut.** A uniform guess over the vocabulary has an NLL of 10.80; the student is worse before, and after all but cross-entropy on GSM8K.
