"""The house of DESIGN: imports run one way, siblings are independent, and there is no circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import llm_juries

PACKAGE = Path(llm_juries.__file__).parent

# From the door to the foundations: a room may import from itself and from the floors below it.
FLOORS = (
    {"__main__"},
    {"__init__"},
    {"commands"},
    {"api", "reproduction"},
    {"reporting", "cluster", "answers"},
    {"config"},
    {"analysis", "collect"},
    {"study"},
    {"juries", "store"},
    {"judges", "metrics"},
    {"data"},
    {"prompts"},
    {"types", "scale", "seats"},
    {"arguments", "files", "markdown", "redaction"},
    {"disguises", "errors", "escaping"},
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def modules() -> dict[str, Path]:
    """Return the modules of the package by dotted name, without the package's own name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)
        found[name] = path
    return found


def imported(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Yield the modules of the package that a module imports, also inside functions."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (
                a.name.removeprefix("llm_juries.")
                for a in node.names
                if a.name.startswith("llm_juries.")
            )
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = package[: len(package) - node.level + 1]
            target = ".".join([*base, *([node.module] if node.module else [])])
        elif (node.module or "").partition(".")[0] == "llm_juries":
            target = (node.module or "").removeprefix("llm_juries").lstrip(".")
        else:
            continue
        for alias in node.names:
            inner = f"{target}.{alias.name}".lstrip(".")
            yield inner if inner in known else target


@cache
def imports() -> dict[str, list[str]]:
    """Return the modules that each module imports."""
    known = modules()
    return {name: sorted(set(imported(name, path, known)) - {name}) for name, path in known.items()}


def room(module: str) -> str:
    return module.partition(".")[0] or "__init__"


def test_every_module_has_a_room_of_the_design() -> None:
    assert {room(name) for name in modules()} <= set(FLOOR_OF)


def test_imports_go_down_and_never_to_a_sibling() -> None:
    wrong = [
        f"{name} -> {target}"
        for name, targets in imports().items()
        for target in targets
        if room(name) != room(target) and FLOOR_OF[room(name)] >= FLOOR_OF[room(target)]
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_itself_in_a_circle() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name in done:
            return
        for target in imports().get(name, ()):
            visit(target, (*path, name))
        done.add(name)

    for name in imports():
        visit(name, ())
