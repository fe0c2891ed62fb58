"""What is said to do about damage: mending for packs, an older copy for the log, another one for a backup."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.errors import IntegrityError
from mlreg.registry.places import init
from mlreg.registry.registry import Registry


@pytest.fixture
def place(tmp_path: Path) -> Path:
    found = init(tmp_path / "shared", shared=True)[0]
    for number in range(3):
        (tmp_path / "weights").write_text(f"weights {number}")
        Registry(found, "Ann").add("model/net", [tmp_path / "weights"], version=f"1.{number}.0")
    return found


def spoil_a_pack(place: Path) -> None:
    pack = max(place.glob("packs/*/*.pack"))
    data = bytearray(pack.read_bytes())
    data[0] ^= 1
    pack.write_bytes(data)


def lose_a_slot(place: Path) -> None:
    (place / "log" / f"{2:016d}").unlink()


def spoil_a_slot(place: Path) -> None:
    slot = place / "log" / f"{2:016d}"
    slot.write_bytes(slot.read_bytes()[:-9])


def mix_up_slots(place: Path) -> None:
    (place / "log" / f"{2:016d}").write_bytes((place / "log" / f"{3:016d}").read_bytes())


@pytest.mark.parametrize(
    ("damage", "help_is"),
    [
        (spoil_a_pack, "mlreg repair"),
        (lose_a_slot, "backup"),
        (spoil_a_slot, "backup"),
        (mix_up_slots, "backup"),
    ],
)
def test_what_helps_is_said_by_what_is_damaged(damage: Callable[[Path], None], help_is: str, place: Path) -> None:
    damage(place)

    with pytest.raises(IntegrityError) as caught:
        Registry(place, "Ann").verify().refuse_problems()

    assert help_is in caught.value.fix[0]
    assert any("repair" in fix for fix in caught.value.fix) is (help_is == "mlreg repair")
    assert not any(fix.startswith("mlreg verify") for fix in caught.value.fix)
