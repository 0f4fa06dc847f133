"""What import contracts cannot say: pure rooms run without Django, pillars share no rows, names are documented."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "corridor"
PURE_ROOMS = ("base", "science", "exchange/rules", "exchange/messages.py")
PURE_PILLAR_ROOMS = ("tables", "reference", "rules", "messages", "charts")
FOREIGN = ("django", "ninja", "httpx", "sqlite3", "psycopg", "click", "requests")


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts)


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_pure(path: Path) -> bool:
    inside = path.relative_to(SOURCE).as_posix()
    if inside.startswith("pillars/"):
        room = inside.split("/")[2:3]
        return bool(room) and room[0].removesuffix(".py") in PURE_PILLAR_ROOMS
    return any(inside == room or inside.startswith(room + "/") for room in PURE_ROOMS)


BLOCK = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {FOREIGN!r}:
            raise ImportError(f"{{name}} is blocked in pure rooms")
        return None

sys.meta_path.insert(0, Blocked())
"""


def test_every_pure_module_imports_with_django_blocked() -> None:
    pure = [name_of(path) for path in modules() if is_pure(path)]
    assert len(pure) > 20

    code = BLOCK + "\n".join(f"import {name}" for name in pure)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=False)

    assert done.returncode == 0, done.stderr[-2000:]


def test_the_block_itself_blocks() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCK + "import django"], capture_output=True, text=True, check=False)

    assert "django is blocked" in done.stderr


def test_no_model_of_one_pillar_points_into_another() -> None:
    from django.apps import apps

    crossing = [
        f"{model.__module__}.{model.__name__}.{field.name}"
        for model in apps.get_models()
        if model.__module__.startswith("corridor.pillars.")
        for field in model._meta.get_fields()
        if field.is_relation
        and field.related_model is not None
        and not isinstance(field.related_model, str)
        and field.related_model.__module__.startswith("corridor.pillars.")
        and field.related_model.__module__.split(".")[2] != model.__module__.split(".")[2]
    ]

    assert crossing == []


def public_definitions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)) and not inner.name.startswith("_"):
                        yield inner


def is_overload(node: ast.AST) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(
        "overload" in ast.unparse(each) or ast.unparse(each).endswith((".setter", "override")) for each in decorators
    )


def test_every_module_and_public_name_is_documented() -> None:
    silent = []
    for path in modules():
        tree = ast.parse(path.read_text("utf-8"))
        if ast.get_docstring(tree) is None and path.read_text("utf-8").strip():
            silent.append(name_of(path))
        silent += [
            f"{name_of(path)}.{node.name}"
            for node in public_definitions(tree)
            if ast.get_docstring(node) is None and not is_overload(node)
        ]

    assert silent == []


def test_every_exemption_names_its_rule() -> None:
    bare = re.compile(r"#\s*noqa(?!:\s*[A-Z]+\d)|#\s*type:\s*ignore(?!\[)")
    found = [
        f"{path.relative_to(SOURCE.parent)}:{number}"
        for path in modules()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if bare.search(line)
    ]

    assert found == []


@pytest.mark.parametrize("banned", ["TODO", "FIXME", "XXX", "HACK"])
def test_nothing_is_left_for_later(banned: str) -> None:
    found = [
        f"{path.relative_to(SOURCE.parent)}:{number}"
        for path in modules()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(rf"\b{banned}\b", line)
    ]

    assert found == []


def test_there_is_no_admin_and_no_management_command() -> None:
    assert not list(SOURCE.rglob("management"))
    assert not list(SOURCE.rglob("admin.py"))


def test_import_contracts_are_kept() -> None:
    root = SOURCE.parents[1]
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:]
