"""How far a run is, in lines or in a bar, on the first rank alone."""

import pytest

from hpcgen.training.hooks import progress
from hpcgen.training.hooks.hook import Hook
from hpcgen.training.hooks.progress import SECONDS_BETWEEN_LINES, Bar, Lines

STATISTICS = {"discriminator": {"loss": 1.25, "real_logit": 3.0}, "generator": {"loss": 0.5}}


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still: clock[0] are its seconds."""
    seconds = [100.0]
    monkeypatch.setattr(progress, "monotonic", lambda: seconds[0])
    return seconds


def test_lines_tell_the_rate_the_losses_and_the_time_left(comm, idle, clock, capsys):
    training = idle(4, "train.lanes=5", "train.lane_size=10")
    lines = Lines(training)
    training.step, clock[0] = 6, 100 + SECONDS_BETWEEN_LINES / 2
    lines(training, STATISTICS, False)
    assert capsys.readouterr().out == ""
    # 6 steps of 50 samples in 5 seconds; 10 steps are left.
    training.step, clock[0] = 10, 105.0
    lines(training, STATISTICS, False)
    assert capsys.readouterr().out == (
        "step 10 of 20  60 samples/s  discriminator 1.2500  generator 0.5000  8 s left\n"
    )
    # The rate is that since the last line, the time left that since the start.
    training.step, clock[0] = 20, 106.0
    lines(training, STATISTICS, True)
    assert capsys.readouterr().out == (
        "step 20 of 20  500 samples/s  discriminator 1.2500  generator 0.5000  0 s left\n"
    )


def test_a_last_step_that_takes_no_time_is_told(comm, idle, clock, capsys):
    training = idle(19)
    lines = Lines(training)
    training.step = 20
    lines(training, STATISTICS, True)
    assert capsys.readouterr().out.startswith("step 20 of 20  ")


def test_a_bar_counts_samples(comm, idle, capsys):
    training = idle(5, "train.lanes=5", "train.lane_size=10")
    bar = Bar(training)
    for step in range(6, 21):
        training.step = step
        bar(training, STATISTICS, step == 20)
    bar.close()
    drawn = capsys.readouterr().err.split("\r")
    assert "25%" in drawn[1] and "250/1.00k" in drawn[1]
    assert "100%" in drawn[-1] and "discriminator 1.2500  generator 0.5000" in drawn[-1]


@pytest.mark.parametrize("terminal, kind", [(True, Bar), (False, Lines)])
def test_a_terminal_has_a_bar_and_a_log_has_lines(comm, idle, monkeypatch, terminal, kind):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    shown = progress.progress("auto", idle(0))
    assert type(shown) is (kind if comm.rank == 0 else Hook)
    shown.close()


@pytest.mark.parametrize("kind", ["bar", "lines", "off"])
def test_the_first_rank_alone_shows_something(comm, idle, capsys, kind):
    training = idle(19)
    shown = progress.progress(kind, training)
    training.step = 20
    shown(training, STATISTICS, True)
    shown.close()
    printed = "".join(capsys.readouterr())
    assert bool(printed) == (comm.rank == 0 and kind != "off")
