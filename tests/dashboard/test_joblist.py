from routeviz.dashboard.joblist import duration, words
from routeviz.jobs import Progress


def test_progress_in_words():
    inner = Progress("evaluate", "image", 30, 150, 5.0, 24.0)
    outer = Progress("train", "step", 1200, 3600, 2.345, 4000.0, inner)
    assert words(outer) == "1,200 of 3,600 steps · 2.35 a second · 1 h 6 min left · evaluate: 30 of 150"
    assert words(Progress("train", "step", 1, 3, 0.01, None)) == "1 of 3 steps · 0.6 a minute"
    assert words(None) == "Starting"
    assert [duration(seconds) for seconds in (0.4, 59, 61, 7322)] == ["0 s", "59 s", "1 min 1 s", "2 h 2 min"]
