"""``python -m bench [NAME ...]``: measure what every module of this folder offers as `rows`, in one table."""

import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import bench
from bench.tables import show

WITHOUT_ROWS = frozenset({"__main__", "tables", "peers"})


def main(names: list[str]) -> int:
    """Measure the named modules, or all; a module that fails is reported and fails the run."""
    known = sorted(module.name for module in iter_modules(bench.__path__) if module.name not in WITHOUT_ROWS)
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.stderr.write(f"no measurement is called {', '.join(unknown)}; there are {', '.join(known)}\n")
        return 2
    rows: list[dict[str, Any]] = []
    failed = 0
    for name in names or known:
        sys.stderr.write(f"measuring {name} ...\n")
        try:
            rows += import_module(f"bench.{name}").rows()
        except Exception as fault:  # one failed measurement must not hide the others
            failed += 1
            rows.append({"what": name, "ours": f"failed: {type(fault).__name__}: {fault}"})
    show(rows)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
