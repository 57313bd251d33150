"""Stop signals: at once, postponed, twice, ignored, in a child; and what is put back."""

import os
import signal

import pytest

from semalign import cli, stopping
from semalign.cli import errors
from semalign.results.records import read_record
from semalign.stopping import BATCH, SIGNALS, Stopped, handled, postponed, stop, wanted
from semalign.training.finetuning import FineTuning


@pytest.mark.parametrize("number", BATCH)
def test_a_signal_of_a_batch_system_ends_at_once(number):
    done = []
    with pytest.raises(Stopped, match=f"^stopped by {number.name}: the same command goes on"), handled():
        signal.raise_signal(number)
        done.append("after")
    assert not done and not issubclass(Stopped, Exception)


def test_a_keyboard_interrupt_ends_at_once():
    with pytest.raises(KeyboardInterrupt), handled():
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGTERM, Stopped), (signal.SIGINT, KeyboardInterrupt)])
def test_work_is_finished_first_where_a_stop_is_postponed(number, kind):
    done = []
    with pytest.raises(kind), handled(), postponed():
        assert not wanted()
        with postponed():
            signal.raise_signal(number)
            done.append("inner")
        done.append("outer")
        assert wanted()
    assert done == ["inner", "outer"] and not wanted()


def test_a_stop_ends_a_postponed_block_where_it_says():
    with pytest.raises(Stopped), handled(), postponed():
        signal.raise_signal(signal.SIGUSR1)
        stop()
        raise AssertionError
    with pytest.raises(Stopped, match="another process"):
        stop()


def test_only_a_second_keyboard_interrupt_is_in_a_hurry():
    done = []
    with pytest.raises(Stopped, match="SIGUSR1"), handled(), postponed():
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGUSR1):
            signal.raise_signal(number)
        done.append("all came")
        signal.raise_signal(signal.SIGINT)
        done.append("after")
    assert done == ["all came"]


def test_an_error_in_a_postponed_block_stays_that_error():
    with pytest.raises(ValueError, match="wrong"), handled(), postponed():
        signal.raise_signal(signal.SIGTERM)
        raise ValueError("wrong")
    assert stopping._Stop.postponed == 0


def test_handlers_are_put_back_and_an_ignored_signal_stays_ignored():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with handled():
            signal.raise_signal(signal.SIGINT)
            assert not wanted()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before[signal.SIGINT])
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


def test_a_child_ends_as_if_there_were_no_handler():
    with handled():
        child = os.fork()
        if not child:
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM


@pytest.mark.slow
def test_a_command_that_a_batch_system_stops_goes_on_where_it_was(tmp_path, monkeypatch, capsys):
    def fine_tune(name):
        monkeypatch.setattr("sys.argv", ["semalign", "transfer", *arguments, "--out", str(tmp_path / name)])
        return errors.run(cli.app)

    def told_to_stop(training, indices):
        if len(training.losses) == 2:
            signal.raise_signal(signal.SIGTERM)
        return backward(training, indices)

    arguments = ["micro-teacher", "micro-student", "--data", "micro_gsm8k", "--examples", "12", "--method", "sft"]
    arguments += [each for key in ("batch_size=4", "epochs=2", "lora_dropout=0.1") for each in ("--set", key)]
    assert fine_tune("whole") == 0
    with monkeypatch.context() as patch:
        backward = FineTuning.backward
        patch.setattr(FineTuning, "backward", told_to_stop)
        capsys.readouterr()
        assert fine_tune("stopped") == 75
    assert "semalign: stopped by SIGTERM" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "stopped").iterdir()] == ["checkpoint.safetensors"]
    assert fine_tune("stopped") == 0
    whole, resumed = tmp_path / "whole", tmp_path / "stopped"
    assert read_record(whole / "record.json")["losses"] == read_record(resumed / "record.json")["losses"]
    weights = "adapter_model.safetensors"
    assert (whole / weights).read_bytes() == (resumed / weights).read_bytes()
