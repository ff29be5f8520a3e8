"""Load a judge, prompt, dataset or jury by its name in conf/ or from a yaml, without Hydra.

The yamls of conf/ are Hydra's, so `defaults:` are followed as Hydra follows them, as far as they
belong to the same object: another yaml of the group (`few_shot_standard`) or one that is merged in
place (`/backend/vllm@_here_`). Entries that would land elsewhere in a config are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ..data.dataset import Dataset
from ..errors import JuriesError, nearest
from ..judges.base import Judge
from ..juries.pooling import Pooling
from ..prompts.prompt import Prompt
from .build import build
from .locations import conf_dir
from .yamls import load

HERE = "_here_"
Folders = Sequence[str | Path]


def names(group: str, folders: Folders = ()) -> list[str]:
    """Return the names of a group of conf/, sorted: names("judge").

    Parameters
    ----------
    group : str
        A folder of conf/: "judge", "prompt", "dataset", "jury".
    folders : sequence of paths
        Further folders of configs, searched before the project's own.
    """
    found = {path.stem for root in _roots(folders) for path in (root / group).glob("*.yaml")}
    return sorted(found)


def load_judge(name: str | Path, folders: Folders = ()) -> Judge:
    """Build a judge by its name in conf/judge or from the path of a yaml; nothing is loaded yet.

    Raises
    ------
    JuriesError
        In one line: no such name (with the nearest ones), or what is wrong in the yaml.
    """
    judge = _build("judge", name, folders)
    if not hasattr(judge, "ask"):
        raise _other("judge", name, judge)
    found: Judge = judge
    return found


def check_successor(config: DictConfig, place: str, folders: Folders = ()) -> None:
    """Check that the yaml that a model's lifetime names as its successor exists.

    Raises
    ------
    JuriesError
        If it does not: messages send users to it.
    """
    try:
        successor = str(OmegaConf.select(config, "lifetime.successor") or "")
    except OmegaConfBaseException:
        return  # `build` says what is wrong
    known = {*names("judge", folders), *names("candidate", folders)} if successor else set()
    if successor and successor not in known:
        raise JuriesError(
            f"{place}.lifetime.successor: names no yaml of conf/judge or conf/candidate: "
            f"{successor!r}; leave it empty if there is none{nearest(successor, sorted(known))}"
        )


def replacements(given: object) -> dict[str, str]:
    """Return who replaces whom: as given, or judges of conf/judge by their yamls' successors.

    Parameters
    ----------
    given : mapping of str to str, or sequence of str, optional
        {OLD: NEW}, or names of judges whose lifetimes name a successor.

    Raises
    ------
    JuriesError
        If it is neither, or a judge has no successor.
    """
    if not given:
        return {}
    if isinstance(given, Mapping):
        for old, new in given.items():
            if not isinstance(new, str):
                raise JuriesError(f"replace.{old}: is {new}; name its successor")
        return {str(old): str(new) for old, new in given.items()}
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise JuriesError(f"replace: is {given!r}; write {{OLD: NEW}}, or [OLD] for its successor")
    found = {}
    for name in map(str, given):
        try:
            judge = load_judge(name)
        except JuriesError as error:
            raise JuriesError(
                f"replace: [{name}] takes the successor from conf/judge, {{{name}: NEW}} names it: "
                f"{error}"
            ) from None
        lifetime = getattr(judge, "lifetime", None)
        if lifetime is None or not lifetime.successor:
            raise JuriesError(
                f"replace: {name} has no successor in its yaml; name one: {{{name}: NEW}}"
            )
        found[name] = lifetime.successor
    return found


def load_prompt(name: str | Path, folders: Folders = ()) -> Prompt:
    """Build a prompt by its name in conf/prompt or from the path of a yaml; see `load_judge`."""
    prompt = _build("prompt", name, folders)
    if not isinstance(prompt, Prompt):
        raise _other("prompt", name, prompt)
    return prompt


def load_dataset(name: str | Path, folders: Folders = ()) -> Dataset:
    """Load a dataset by its name in conf/dataset or from the path of a yaml; see `load_judge`."""
    dataset = _build("dataset", name, folders)
    if not isinstance(dataset, Dataset):
        raise _other("dataset", name, dataset)
    return dataset


def load_jury(name: str | Path, folders: Folders = ()) -> Pooling:
    """Build a jury by its name in conf/jury or from the path of a yaml; see `load_judge`."""
    jury = _build("jury", name, folders)
    if not hasattr(jury, "decide"):
        raise _other("jury", name, jury)
    found: Pooling = jury
    return found


def node(group: str, name: str | Path, folders: Folders = ()) -> DictConfig:
    """Return the config of a name or yaml with its `defaults:` merged in, not yet built.

    Raises
    ------
    JuriesError
        If there is no such name or file, or it is not valid yaml.
    """
    roots = _roots(folders)
    path = Path(name).expanduser()
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise JuriesError(f"{path}: no such file; give a yaml, or a name of conf/{group}")
    else:
        path = _find(roots, group, str(name))
    return _merged(path, group, roots, (path,))


def _build(group: str, name: str | Path, folders: Folders) -> Any:
    config = node(group, name, folders)
    for key in sorted(OmegaConf.missing_keys(config)):
        raise JuriesError(f"{group} {name}: {key} has no value; set it in a yaml of your own")
    check_successor(config, f"{group} {name}", folders)
    return build(config, f"{group} {name}")


def _other(group: str, name: str | Path, found: object) -> JuriesError:
    return JuriesError(f"{name}: builds a {type(found).__name__}, not a {group}")


def _roots(folders: Folders) -> list[Path]:
    return [*(Path(folder).expanduser() for folder in folders), conf_dir()]


def _find(roots: Sequence[Path], group: str, name: str) -> Path:
    for root in roots:
        path = root / group / f"{name}.yaml"
        if path.is_file():
            return path
    known = sorted({path.stem for root in roots for path in (root / group).glob("*.yaml")})
    raise JuriesError(f"there is no {group} {name!r}{nearest(name, known)}")


def _merged(path: Path, group: str, roots: Sequence[Path], chain: tuple[Path, ...]) -> DictConfig:
    """Return a yaml over those that its defaults name, in Hydra's order."""
    try:
        own = load(path)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise JuriesError(f"{path}: is not valid yaml ({' '.join(str(error).split())})") from None
    if not isinstance(own, DictConfig):
        raise JuriesError(f"{path}: holds no keys; see conf/{group} for examples")
    entries = list(own.pop("defaults", None) or [])
    if "_self_" not in entries:
        entries.append("_self_")  # as Hydra does
    parts: list[DictConfig] = []
    for entry in entries:
        if entry == "_self_":
            parts.append(own)
            continue
        target = _target(entry, group)
        if target is None:
            continue
        other = _find(roots, *target)
        if other in chain:
            raise JuriesError(f"{path}, defaults: {entry} includes itself")
        parts.append(_merged(other, target[0], roots, (*chain, other)))
    merged = OmegaConf.merge(*parts)
    assert isinstance(merged, DictConfig)  # noqa: S101 - a merge of DictConfigs
    return merged


def _target(entry: Any, group: str) -> tuple[str, str] | None:
    """Return the group and name of an entry of `defaults:` that belongs to the same object."""
    if isinstance(entry, DictConfig):  # /backend@_here_: vllm
        ((key, name),) = entry.items()
        place, _, package = str(key).partition("@")
        option = f"{place}/{name}"
    else:
        option, _, package = str(entry).partition("@")
    where, _, name = option.rpartition("/")
    other = where.lstrip("/") or group
    return (other, name) if package == HERE or (not package and other == group) else None
