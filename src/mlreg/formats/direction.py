"""Which values of a metric are better, the small or the large ones, as far as its name says."""

from __future__ import annotations

import re

_SMALLER = {"loss", "error", "err", "mae", "mse", "rmse", "mape", "perplexity", "ppl", "wer", "cer", "fid", "nll"}
_LARGER = {"acc", "accuracy", "auc", "auroc", "f1", "precision", "recall", "map", "iou", "dice", "score", "r2", "bleu"}


def better_of(name: str) -> str:
    """Return whether smaller or larger values of a metric are better by its name; empty if it does not say.

    >>> better_of("val/loss"), better_of("test_auc"), better_of("speed")
    ('min', 'max', '')
    """
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    if words & _SMALLER and not words & _LARGER:
        return "min"
    return "max" if words & _LARGER and not words & _SMALLER else ""
