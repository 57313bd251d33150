"""What a job adds up from its phases and its states."""

from semalign.planning.job import KEPT, Job
from semalign.planning.setup import Phase
from semalign.planning.stored import TRAINING, States

READ, TRAINED = Phase("read", 5, 0, 60.0), Phase("training", 9, 7, 3540.0)
STATES = {
    States("owner/large", "gsm8k", 3, TRAINING, "final"): 10,
    States("small", "gsm8k", 3, TRAINING, "entering layer 2"): 4,
}
GIVEN = {"name": "x", "phases": (READ, TRAINED), "gpu_memory": 9, "host_memory": 5, "gpus": 1}
JOB = Job(**GIVEN, kind="cell", entry="semalign", teacher="owner/large", student="small", task="gsm8k", states=STATES)


def test_work_and_time_are_those_of_all_phases_and_the_largest_is_named():
    assert (JOB.flops, JOB.hours, JOB.largest) == (7, 1.0, TRAINED)


def test_it_writes_a_record_and_its_states():
    assert JOB.disk == KEPT + 14
    assert Job(**GIVEN, kind="notebook", entry="notebook", teacher=None, student="03", task=None).disk == KEPT


def test_its_label_has_the_last_part_of_each_name():
    assert JOB.label == "semalign large gsm8k"
    alone = Job(**GIVEN, kind="evaluation", entry="none", teacher=None, student="owner/small", task="gsm8k")
    assert alone.label == "none small gsm8k"
