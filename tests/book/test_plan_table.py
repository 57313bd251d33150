"""The table of the plan counts every job of the paper's settings once."""

from semalign.book import plan_table as page
from semalign.book.plan_table import STEPS, measured_table, plan_table, steps_table
from semalign.experiments.profiles import load_profile
from semalign.files import write_json
from semalign.planning import plan


def test_every_job_is_in_one_line_and_the_last_adds_them_up():
    text, jobs = plan_table(), plan(load_profile("llama2"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:2] == "| "]
    lines, total = rows[2:-1], rows[-1]
    assert total[:2] == ["all", str(len(jobs))] and sum(int(row[1]) for row in lines) == len(jobs)
    assert {"semalign", "laten", "seeking", "models as they are", "notebook"} <= {row[0] for row in lines}
    assert float(total[2]) == round(max(job.gpu_memory for job in jobs) / 1e9, 1)
    assert abs(float(total[4]) - sum(job.hours * job.gpus for job in jobs)) < 0.06
    assert "estimates, not measurements" in text and "worst case" in text


def test_every_phase_belongs_to_one_step_and_the_hours_are_those_of_the_plan():
    jobs = plan(load_profile("llama2"))
    for phase in {phase.name for job in jobs for phase in job.phases}:
        assert sum(phase in step.phases for step in STEPS) == 1, phase
    rows = [line.strip("| ").split(" | ") for line in steps_table().splitlines() if line.startswith("| ")][2:]
    assert abs(sum(float(row[3]) for row in rows) - sum(job.hours * job.gpus for job in jobs)) < 0.05 * len(rows)
    assert ["answer benchmarks", "Transformers or vLLM"] in [row[:2] for row in rows]


def test_plans_stand_over_measurements_by_phase(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "results_dir", lambda: tmp_path)
    assert "**not run**" in measured_table()
    line = {"model": "m", "dtype": "float32", "planned_memory": 90, "measured_memory": 100}
    lines = [
        {**line, "phase": "training", "planned_flops": 110, "measured_flops": 100},
        {**line, "phase": "bases and map", "planned_flops": 5, "measured_flops": 4},
    ]
    write_json(tmp_path / "speed" / "plan.json", {"lines": lines})
    text = measured_table()
    assert "| phase | m, float32: memory | m, float32: FLOPs |\n| :-- | --: | --: |" in text
    assert "| training | 0.90 | 1.10 |" in text and "| bases and map | 0.90 | 1.25 |" in text
