"""The tutorial runs as it is written: two nodes, each in its own processes, sign, share and prove."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_documents import ROOT, blocks_of

TUTORIAL = ROOT / "docs" / "tutorial" / "first-node.md"
SECONDS = 400


def free_ports(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def script() -> str:
    """Return the blocks of the tutorial as one script, as a reader types them into one shell."""
    # The shell and its nodes end by themselves even if this test is killed and cannot end them.
    parts = [f"(sleep {SECONDS}; kill 0) > /dev/null 2>&1 < /dev/null & disown", "set -euo pipefail"]
    for block in blocks_of(TUTORIAL.read_text(encoding="utf-8")):
        if "server" in block.marks:
            python = f"python3 - <<'END_OF_PYTHON'\n{block.body}END_OF_PYTHON\n"
            parts.append(python if block.language == "python" else block.body)
    text = "\n".join(parts)
    for written, free in zip(("8001", "8002"), free_ports(2), strict=True):
        text = text.replace(f"127.0.0.1:{written}", f"127.0.0.1:{free}")
    return text


@pytest.mark.skipif(sys.platform == "win32", reason="the tutorial is written for a POSIX shell")
def test_the_tutorial_goes_from_an_empty_folder_to_verified_evidence(tmp_path: Path) -> None:
    shim = tmp_path / "bin"
    shim.mkdir()
    (shim / "python3").symlink_to(sys.executable)
    command = shim / "corridor"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from corridor.cli.main import main; main()" "$@"\n')
    command.chmod(0o755)
    folder = tmp_path / "work"
    folder.mkdir()
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CORRIDOR_", "DATABASE_", "DJANGO_"))
    }
    environment = kept | {"PATH": f"{shim}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src"), "HOME": str(folder)}

    shell = subprocess.Popen(
        ["bash", "-c", script()],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        said, wrong = shell.communicate(timeout=SECONDS)
    finally:
        # Also where a step failed: the nodes of the tutorial must not outlive the test.
        if shell.poll() is None or _is_alive(shell.pid):
            os.killpg(shell.pid, signal.SIGKILL)

    logs = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.log"))
    assert shell.returncode == 0, f"{said[-3000:]}\n{wrong[-3000:]}\n{logs[-3000:]}"
    assert "AUTHENTIC: every signature and proof holds" in said
    assert "ALTERED" in said
    assert "exit code 3" in said
    assert "Traceback" not in wrong + logs, (wrong + logs)[-3000:]
    assert json.loads((folder / "evidence.json").read_text(encoding="utf-8"))


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
