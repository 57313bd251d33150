"""Compare greedy decoding as `semalign evaluate` does it with that of lm-eval, on a published model and benchmark.

Both read the same prompts. lm-eval's class calls `generate` of transformers, which runs a batch until its longest
answer has ended; ours fills a row that has ended with the next prompt.

    SEMALIGN_DATA=/path/to/data PYTHONPATH=benchmarks python benchmarks/generation_speed.py \
        --out data/results/speed/generation.json
"""

import argparse
import time
from pathlib import Path

import torch
from bench.steps.evaluation import answers, differ, engines, requests
from measurement import write_measurement

from semalign import load_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="smollm2-135m")
    parser.add_argument("--task", default="gsm8k", help="a task with greedy decoding")
    parser.add_argument("--items", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--out", type=Path, help="JSON file for the numbers")
    given = parser.parse_args()

    model = load_model(given.model)
    asked = requests(given.task, given.items, model.tokenizer)
    report = {key: getattr(given, key) for key in ("model", "task", "items", "batch_size")}
    report["threads"] = torch.get_num_threads()
    texts = []
    for side, engine in zip(("ours", "lm_eval"), engines(model, given.batch_size), strict=True):
        answers(engine, asked[:2])
        start = time.perf_counter()
        texts.append(answers(engine, asked))
        seconds = time.perf_counter() - start
        tokens = sum(len(model.tokenizer.encode(text, add_special_tokens=False)) for text in texts[-1])
        report[side] = {"seconds": round(seconds, 1), "tokens": tokens, "tokens_per_second": round(tokens / seconds, 1)}
    report["ratio"] = round(report["lm_eval"]["seconds"] / report["ours"]["seconds"], 2)
    report["equal_texts"] = given.items - int(differ(*texts))
    print(report)
    if given.out:
        write_measurement(given.out, report)


if __name__ == "__main__":
    main()
