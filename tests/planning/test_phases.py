"""The phases of each kind of method, on the rows that its settings ask for."""

import pytest

from semalign.methods.declared.sft import SftSettings
from semalign.methods.laten.settings import LatenSettings
from semalign.methods.seeking.settings import SeekingSettings
from semalign.planning import baselines, transfer
from semalign.planning.left_out import UnplannedError
from semalign.planning.machines import MACHINES
from semalign.planning.phases import phases_of
from semalign.planning.setup import Setup
from semalign.planning.shapes import shapes_of
from semalign.planning.texts import Texts
from semalign.settings import MethodSettings, TransferSettings

SETUP = Setup(MACHINES["a100"], shapes_of("micro-teacher"), shapes_of("micro-student"))
TEXTS = Texts.of([(30, 10)] * 6)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (TransferSettings, transfer.phases),
        (SeekingSettings, baselines.seeking),
        (LatenSettings, baselines.laten),
        (SftSettings, baselines.fine_tuning),
    ],
)
def test_the_kind_of_the_settings_decides(settings, expected):
    assert list(phases_of(SETUP, settings(), TEXTS)) == list(expected(SETUP, settings(), TEXTS))


def test_only_the_rows_that_are_asked_for_are_trained_on():
    few = SftSettings(train_size=2)
    assert list(phases_of(SETUP, few, TEXTS)) == list(baselines.fine_tuning(SETUP, few, TEXTS.first(2)))


def test_what_settings_of_another_kind_need_is_not_known():
    with pytest.raises(UnplannedError, match="what a method with settings MethodSettings needs is not known"):
        phases_of(SETUP, MethodSettings(), TEXTS)
