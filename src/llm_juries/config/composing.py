"""Compose a command's config with Hydra, resolve its lists of names and check its keys.

Hydra alone accepts any `+key=` and, of `dataset=[a,b]`, silently keeps the last. `finish` refuses
both, and turns the lists of names that replace them (`datasets`, `prompts`) into the configs of
those names.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.file_config_source import FileConfigSource as PlainSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.resolvers import oc

from ..errors import JuriesError, nearest
from ..redaction import found_in, without_secrets
from ..seats import seat_of, seats_of
from . import named
from .keys import PACKAGES, choices, commands, groups, keys, top_level
from .locations import conf_dir
from .seating import members_of
from .shortcuts import use_shortcuts
from .yamls import use_libyaml, version_of

SEVERAL = ("judge", "jury", "candidate", "experiment")
"""Groups of which a list of names is composed as it stands."""
LISTS = {
    "datasets": "dataset", "fetched": "dataset", "prompts": "prompt", "priced": "judge",
}  # fmt: skip
"""Keys that are lists of names, and the groups of the names."""
PARTS = {
    "dataset": "dataset", "public": "dataset", "prompt": "prompt", "prompts": "prompt",
    "answering": "answering", "retrieval": "retrieval",
}  # fmt: skip
"""Keys of each of `parts` that are names, or lists of them, and the groups of the names."""
TABLES = (".jsonl", ".json", ".csv", ".parquet")


class FileConfigSource(PlainSource):
    """Config files, where a jury includes the judges that its `members` and its `fallback` name.

    Members without a yaml are judges that come with recorded verdicts. A judge's yaml needs no line
    `# @package`: judge/mine.yaml becomes `judges.mine`; so do juries and candidates; a dot becomes
    an underscore, as it would part a key. The class has the name of the one it replaces, as Hydra
    then keeps it when it registers its own, in each process of a launcher.
    """

    def load_config(self, config_path: str) -> ConfigResult:
        """Return a config; a jury's `defaults:` are made from its members."""
        result = self._parsed(config_path)
        config: Any = result.config
        if not isinstance(config, DictConfig):
            raise JuriesError(f"{self.path}/{config_path}: holds no keys; write KEY: VALUE lines")
        if Path(self.path) != conf_dir():
            _check_secrets(OmegaConf.to_container(config), f"{self.path}/{config_path}, ")
        group, _, name = config_path.partition("/")
        if name and group in PACKAGES and result.header["package"] is None:
            stem = Path(name).name.removesuffix(".yaml").replace(".", "_")
            result.header["package"] = f"{PACKAGES[group]}.{stem}"
        for entry in config.get("defaults") or []:
            # Not resolved: what it may refer to is not chosen yet.
            for key, choice in entry.items_ex(False) if isinstance(entry, DictConfig) else ():
                chosen = str(key).removeprefix("override ").lstrip("/").partition("@")[0]
                _check_single(chosen, choice, list(LISTS))
        if name and group == "jury":
            roots = (Path(self.path), conf_dir())
            names = dict.fromkeys(seat_of(member).judge for member in members_of(config))
            members = [
                f"/judge/{member}"
                for member in names
                if any((root / "judge" / f"{member}.yaml").is_file() for root in roots)
            ]
            given = list(config.get("defaults") or ["_self_"])
            config["defaults"] = [*(m for m in members if m not in given), *given]
        return result

    def _parsed(self, config_path: str) -> ConfigResult:
        path = Path(self.path, self._normalize_file_name(config_path))
        if not path.is_file():
            return super().load_config(config_path)  # which says so
        return deepcopy(_parsed(self.provider, self.path, config_path, version_of(path)))


@cache
def _parsed(
    provider: str, folder: str, config_path: str, _version: tuple[int, ...]
) -> ConfigResult:
    """Parse a version of a yaml once: the jobs of a sweep are composed of the same ones."""
    return PlainSource(provider, folder).load_config(config_path)


def register() -> None:
    """Let Hydra include a jury's members; to be called before it composes anything."""
    use_libyaml()
    use_shortcuts()
    Plugins.instance()  # registers Hydra's own sources, of which ours replaces one
    SourcesRegistry.instance().types["file"] = FileConfigSource


def composed(command: str, overrides: Sequence[str], searched: Path | None = None) -> DictConfig:
    """Return the config of a command, composed without running it.

    Parameters
    ----------
    command : str
        "judge", "analyze" ...
    overrides : sequence of str
        As on the command line, without sweeps.
    searched : Path, optional
        A folder of the user's own yamls, as with --config-dir.

    Raises
    ------
    JuriesError
        As `finish` does; Hydra's own errors where it can't compose.
    """
    check_overrides(overrides)
    register()
    more = [f"hydra.searchpath=[file://{searched.absolute()}]"] if searched else []
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose(command, [*overrides, *more], return_hydra_config=True)
    if "hydra:" in str(dict(cfg.items_ex(resolve=False)).get("output_dir")):
        cfg.output_dir = "."  # there is no run, and so no folder of it
    return finish(cfg, cfg.hydra, command)


def finish(cfg: DictConfig, hydra: Any, command: str) -> DictConfig:
    """Return a composed config without Hydra's node, its lists resolved and its keys checked.

    Parameters
    ----------
    cfg : DictConfig
    hydra : HydraConf
        What Hydra says of the run: the overrides, the chosen yamls, the searched folders.
    command : str

    Raises
    ------
    JuriesError
        In one line: a key that the command does not read, a list where one name is taken, a name
        that does not exist, two keys that contradict each other.
    """
    overrides = [str(override) for override in hydra.overrides.task]
    for override in OverridesParser.create().parse_overrides(overrides):
        _check_single(override.key_or_group, override.value(), top_level(command))
    finished = OmegaConf.masked_copy(cfg, [key for key in map(str, cfg) if key != "hydra"])
    _check_keys(finished, overrides, command)
    _check_sections(finished, command)
    for key in set(LISTS) & set(map(str, finished)):
        if finished[key] is not None and not isinstance(finished[key], ListConfig):
            raise JuriesError(f"{key}: is not a list; write {key}=[{finished[key]}]")
    _check_lists(finished, overrides)
    folders = [
        source.path.removeprefix("file://")
        for source in hydra.runtime.config_sources
        if source.schema == "file" and Path(source.path) != conf_dir()
    ]
    for key in sorted(set(LISTS) & set(map(str, finished))):
        entries = ListConfig([]) if finished[key] is None else finished[key]
        finished[key] = [_node(entry, key, LISTS[key], folders) for entry in entries]
    if "parts" in finished:
        _name_parts(finished.parts, folders)
    if "seats" in finished:
        _seat(finished, folders)
    for group in {"judges", "candidates"} & set(map(str, finished)):
        for name, node in finished[group].items():
            named.check_successor(node, f"{group}.{name}", folders)
    OmegaConf.set_struct(finished, True)
    return finished


def written(cfg: DictConfig) -> dict[str, Any]:
    """Return a config as a run's files and W&B hold it.

    Interpolations are resolved, but an environment variable is named, and not what it holds.
    """
    OmegaConf.register_new_resolver("oc.env", _named_variable, replace=True)
    try:
        plain = OmegaConf.to_container(cfg, resolve=True)
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
    found: dict[str, Any] = without_secrets(plain)
    return found


def _named_variable(name: str, *default: Any) -> str:
    shown = ("null" if value is None else str(value) for value in default)
    return f"${{oc.env:{','.join((name, *shown))}}}"


def key_of(override: str) -> str:
    """Return what an override sets: "judge" of "judge=a", "cluster.qos" of "+cluster.qos=low"."""
    return override.partition("=")[0].lstrip("+~").partition("@")[0]


def _seat(cfg: DictConfig, folders: Sequence[str]) -> None:
    """Add the judges and, as `seat_prompts`, the prompts that seats name to a config.

    Raises
    ------
    JuriesError
        If a seat is malformed, or names a prompt that does not exist.
    """
    if not isinstance(cfg.seats, ListConfig):
        raise JuriesError(f"seats: is not a list; write seats=[{cfg.seats}]")
    given = [str(name) for name in cfg.seats]
    seats = list(seats_of(given, list(map(str, cfg.judges))))
    if names := _by_name(cfg):
        seats = [replace(seat, judge=names.get(seat.judge, seat.judge)) for seat in seats]
        cfg.seats = list(map(str, seats))
    known = set(named.names("judge", folders))
    with open_dict(cfg):
        for seat in seats:
            if seat.judge not in cfg.judges and seat.judge in known:
                cfg.judges[seat.judge] = named.node("judge", seat.judge, folders)
        seats += [seat_of(m) for jury in cfg.juries.values() for m in members_of(jury)]
        prompts = {}
        for seat in seats:
            if seat.prompt and seat.judge in cfg.judges:
                try:
                    prompts[seat.prompt] = named.node("prompt", seat.prompt, folders)
                except JuriesError as error:
                    raise JuriesError(f"seat {seat}: {error}") from None
        if prompts:
            cfg.seat_prompts = prompts


def _by_name(cfg: DictConfig) -> dict[str, str]:
    """Call each judge's node by the judge's own name; return the names by former keys.

    A key can't hold a dot, so gpt-4.1 has to be called something else in its yaml.
    """
    found = {}
    with open_dict(cfg):
        for key in list(map(str, cfg.judges)):
            node = cfg.judges[key]
            name = node.get("name")
            if isinstance(name, str) and name != key and name not in cfg.judges:
                cfg.judges[name] = cfg.judges.pop(key)
                found[key] = name
    return found


def _check_single(group: str, choice: Any, lists: Sequence[str]) -> None:
    """Raise JuriesError where a list is given to a group that takes one name."""
    if isinstance(choice, (list, ListConfig)) and group in groups() and group not in SEVERAL:
        names = ",".join(map(str, choice))
        several = f"{group}s"
        remedy = f"; for several in one report set {several}=[{names}]" if several in lists else ""
        raise JuriesError(f"{group}=[{names}]: takes one name{remedy}")


def _check_keys(cfg: DictConfig, overrides: Sequence[str], command: str) -> None:
    """Raise JuriesError for a key that nothing reads.

    An experiment may set keys of several commands.
    """
    known = top_level(command)
    given = {key_of(override).partition(".")[0] for override in overrides}
    for key in map(str, cfg):
        if key not in known and (key in given or not _somewhere(key)):
            raise JuriesError(f"{key}: no such key of {command}{nearest(key, known)}")


def _somewhere(key: str) -> bool:
    return any(key in top_level(command) for command in commands())


def check_overrides(overrides: Sequence[str]) -> None:
    """Check overrides before Hydra composes, and writes them into the folder of the run.

    Raises
    ------
    JuriesError
        Where a secret is given, or a number in place of a name, on which Hydra fails.
    """
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        value = override.value()
        text = str(override.input_line).partition("=")[2]
        _check_secrets({override.key_or_group: value if isinstance(value, dict | list) else text})
        key = override.key_or_group
        if not key:
            raise JuriesError(f"{override.input_line}: is not KEY=VALUE; see --help for the keys")
        if "\0" in text:
            raise JuriesError(f"{key}: has a null character; leave it out")
        if key not in groups() or override.is_sweep_override() or override.is_delete():
            continue
        for name in value if isinstance(value, list) else [value]:
            if not isinstance(name, str):
                shown = "null" if name is None else name
                raise JuriesError(f"there is no {key}={shown}{nearest(str(shown), choices(key))}")


def _check_secrets(config: Any, where: str = "") -> None:
    """Raise JuriesError where a config holds a secret: what a run writes would hold it too."""
    for place, said in found_in(config):
        remedy = "key_env=NAME, or ${oc.env:NAME}"
        if ".headers." in place:
            remedy = f"headers_env: {{{place.rpartition('.')[2]}: NAME}}, or key_env with auth"
        raise JuriesError(
            f"{where}{place}: is {said}, and a run's files would hold it; keep it in an "
            f"environment variable, and name that: {remedy}"
        )


def check_names(overrides: Sequence[str], command: str) -> None:
    """Raise JuriesError for an override of a key that a command does not have."""
    known = top_level(command)
    for override in overrides:
        key = key_of(override).partition(".")[0]
        if key not in known:
            raise JuriesError(f"{key}: no such key of {command}{nearest(key, known)}")


def _check_sections(cfg: DictConfig, command: str) -> None:
    """Raise JuriesError where a value was set in place of a section or of a named node."""
    sections = {key.name.partition(".")[0] for key in keys(command) if "." in key.name}
    for key in sorted((sections | set(PACKAGES.values())) & set(map(str, cfg))):
        node = cfg[key]
        if not isinstance(node, DictConfig):
            raise JuriesError(f"{key}: takes keys with values, not {node}; see --help")
        for name in map(str, node) if key in PACKAGES.values() else ():
            if not isinstance(node[name], DictConfig):
                raise JuriesError(f"{key}.{name}: takes keys with values, not {node[name]}")


def _check_lists(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Raise JuriesError where a single name was set beside the list that replaces it."""
    for override in overrides:
        group = key_of(override).partition(".")[0]
        if group in ("dataset", "prompt") and cfg.get(f"{group}s"):
            names = ",".join(_name(entry) for entry in cfg[f"{group}s"])
            raise JuriesError(
                f"{override}: is not used, as {group}s=[{names}] is set too; set one of the two "
                f"({group}s=[] empties the list)"
            )


def _name(entry: Any) -> str:
    return str(next(iter(entry), "")) if isinstance(entry, DictConfig) else str(entry)


def _name_parts(parts: Any, folders: Sequence[str]) -> None:
    """Put configs in the place of the names that the parts of an experiment have."""
    if not isinstance(parts, DictConfig):
        raise JuriesError(f"parts: takes keys with values, not {parts}")
    for name, node in parts.items():
        if node is not None:  # parts.NAME=null leaves one out
            _name_in_part(node, f"parts.{name!s}", folders)


def _name_in_part(node: Any, place: str, folders: Sequence[str]) -> None:
    if not isinstance(node, DictConfig):
        raise JuriesError(f"{place}: takes keys with values, not {node}")
    for key in sorted(set(PARTS) & set(map(str, node))):
        entry = node[key]
        if isinstance(entry, DictConfig) and "_target_" in entry:  # ${answering}: the run's
            node[key] = entry
        elif isinstance(entry, ListConfig):
            node[key] = [_node(one, f"{place}.{key}", PARTS[key], folders) for one in entry]
        elif entry is not None:
            node[key] = _node(entry, f"{place}.{key}", PARTS[key], folders)


def _node(entry: Any, key: str, group: str, folders: Sequence[str]) -> DictConfig:
    """Return the config that an entry names: a name, a file, or {name: {key: value}}."""
    more: Any = {}
    if isinstance(entry, DictConfig):
        if len(entry) != 1:
            raise JuriesError(f"{key}: {entry} names several; write {{NAME: {{KEY: VALUE}}}}")
        ((entry, more),) = entry.items()
    if group == "dataset" and Path(str(entry)).suffix.lower() in TABLES:
        entry, more = "jsonl", {"path": str(entry)}
    try:
        node = named.node(group, str(entry), folders)
    except JuriesError as error:
        raise JuriesError(f"{key}: {error}") from None
    with open_dict(node):
        node.merge_with(more or {})
    for place in sorted(OmegaConf.missing_keys(node)):
        raise JuriesError(
            f"{key}: {entry} needs {place}; write {key}=[{{{entry}: {{{place}: VALUE}}}}]"
        )
    return node
