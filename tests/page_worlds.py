"""Worlds in which the blocks of the pages are run: a folder, its commands, the servers it speaks to.

A folder is one of the project, such as `samples/taxi`, of which a copy lies in the world at the same
place, or one in `tests/pages`, whose files are copied into the world. Its `page.toml` may say:

    copies = {"samples/taxi" = "."}              what else is copied, and where to
    before = ["python make_model.py"]            commands that make more of it
    environment = {RIDES_PASSWORD = "secret"}
    replace = {"/var/" = "var/"}                 what a page names in place of what there is here
    ports = [9464]                               ports of pages that stand for free ones
    servers = {5001 = "python model.py $PORT"}   what listens while the world is there
    postgres = "me@db.local/rides"               stands for the tests' PostgreSQL
    [[endless]]                                  a command that runs until it is interrupted
    command = "--follow"                         it has this in it
    until = "test -s alerts.jsonl"               then it has done what it should
    stdin = "events.jsonl"                       it finds this on its open standard input
    stays = true                                 it runs on until the world ends
    code = 0                                     its exit code; 130 if nothing is said
    [forms] and [flags]                          see test_docs_blocks.py
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import taxi
from page_blocks import FOLDERS, ROOT

PATIENCE = 120.0
# Azure ML's server listens on all interfaces; this is its program on the loopback interface
_AZMLINFSRV = (
    "from azureml_inference_server_http import amlserver; "
    "amlserver.DEFAULT_HOST = '127.0.0.1'; amlserver.run()"
)
_PROGRAMS = {
    "streamql": ["-m", "streamql"],
    "python": [],
    "azmlinfsrv": ["-c", _AZMLINFSRV],
}


class World:
    """A folder with files, in which commands are run one after the other."""

    def __init__(self, folder: str, place: Path, postgres: Callable[[], Any]) -> None:
        self.top = self.at = place / "world"
        self.top.mkdir()
        self._said = self.top / ".said"
        self.said: dict[str, Any] = {}
        self._running: list[subprocess.Popen[bytes]] = []
        self._programs = _programs(place / "bin")
        self._fill(folder)
        self._replace: dict[str, str] = dict(self.said.get("replace", {}))
        self._back: dict[str, str] = {}
        for port in [*self.said.get("ports", []), *map(int, self.said.get("servers", {}))]:
            self._replace[str(port)] = free = str(_free_port())
            self._back[free] = str(port)
        if "postgres" in self.said:
            self._replace[self.said["postgres"]] = postgres().uri.removeprefix("postgresql://")
        for command in self.said.get("before", []):
            code, said = self.run(command)
            assert code == 0, f"{command}: {said}"
        for port, command in self.said.get("servers", {}).items():
            self._serve(int(self._replace[port]), command)

    def _fill(self, folder: str) -> None:
        own = FOLDERS / folder
        copies = {}
        if own.is_dir():
            shutil.copytree(own, self.top, dirs_exist_ok=True)
            said = self.top / "page.toml"
            if said.exists():
                self.said = tomllib.loads(said.read_text(encoding="utf-8"))
                said.unlink()
            copies = self.said.get("copies", {})
        elif folder != "empty":
            copies = {folder: folder}
        for source, target in copies.items():
            if source == "samples/taxi":
                taxi.train()
            if (ROOT / source).is_dir():
                left_out = shutil.ignore_patterns("__pycache__", "page.toml")
                shutil.copytree(
                    ROOT / source, self.top / target, dirs_exist_ok=True, ignore=left_out
                )
            else:
                shutil.copy(ROOT / source, self.top / target)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its commands: settings of StreamQL and of others are left out."""
        own = {k: v for k, v in os.environ.items() if not k.startswith(("STREAMQL_", "OTEL_"))}
        path = f"{self._programs}{os.pathsep}{os.environ['PATH']}"
        added = {"BIN": str(self._programs), "HOME": str(self.top), "COLUMNS": "100"}
        return {**own, **added, "PATH": path, **self.said.get("environment", {})}

    def here(self, text: str) -> str:
        """Return a text of a page as it has to be here."""
        for there, here in self._replace.items():
            text = text.replace(there, here)
        return text

    def there(self, text: str) -> str:
        """Return what came out here as a page shows it."""
        for here, there in self._back.items():
            text = text.replace(here, there)
        return text

    def run(self, command: str) -> tuple[int, str]:
        """Return the exit code of a command and what it printed, on standard error as well."""
        here = self.here(command)
        for endless in self.said.get("endless", []):
            if endless["command"] in command:
                return self._until(here, endless)
        then = self.top / ".at"
        # where a `cd` leads is where the next command begins
        script = f"exec 2>&1\ntrap 'pwd >{shlex.quote(str(then))}' EXIT\n{here}\n"
        done = subprocess.run(
            ["bash", "-c", script],
            capture_output=True,
            text=True,
            cwd=self.at,
            stdin=subprocess.DEVNULL,
            env=self.environment,
            timeout=PATIENCE,
        )
        self.at = Path(then.read_text().strip())
        return done.returncode, self.there(done.stdout)

    def write(self, name: str, text: str) -> None:
        """Make a file of the world."""
        path = self.at / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.here(text), encoding="utf-8")

    def _start(self, command: str, **variables: str) -> subprocess.Popen[bytes]:
        self._said.touch()
        process = subprocess.Popen(
            ["bash", "-c", f"exec >>{shlex.quote(str(self._said))} 2>&1\n{command}"],
            stdin=subprocess.PIPE,
            cwd=self.at,
            env={**self.environment, **variables},
            start_new_session=True,
        )
        self._running.append(process)
        return process

    def _serve(self, port: int, command: str) -> None:
        process = self._start(f"exec {command}", PORT=str(port))
        self._wait(process, f"exec 3<>/dev/tcp/127.0.0.1/{port}")

    def _until(self, command: str, endless: dict[str, Any]) -> tuple[int, str]:
        self._said.unlink(missing_ok=True)
        # the shell is there until the command has ended, and tells its exit code
        process = self._start(f"trap : INT\n{command}\nexit $?")
        assert process.stdin
        if "stdin" in endless:
            process.stdin.write((self.at / endless["stdin"]).read_bytes())
            process.stdin.flush()
        self._wait(process, self.here(endless["until"]))
        if endless.get("stays"):
            return 0, ""
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait(PATIENCE)
        said = self.there(self._said.read_text(encoding="utf-8"))
        assert code == endless.get("code", 130), f"{command}: exit code {code}\n{said}"
        return 0, said

    def _wait(self, process: subprocess.Popen[bytes], condition: str) -> None:
        end = time.monotonic() + PATIENCE
        while subprocess.run(
            ["bash", "-c", condition], cwd=self.at, env=self.environment, capture_output=True
        ).returncode:
            said = self._said.read_text(encoding="utf-8")
            assert process.poll() is None, f"it ended: {process.args}\n{said}"
            assert time.monotonic() < end, f"in vain: {condition}\n{said}"
            time.sleep(0.05)

    def close(self) -> None:
        """End what still runs."""
        for process in self._running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def _programs(folder: Path) -> Path:
    """Return a folder with the programs of this checkout that pages call."""
    folder.mkdir()
    for name, words in _PROGRAMS.items():
        call = shlex.join([sys.executable, *words])
        program = folder / name
        program.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {call} "$@"\n')
        program.chmod(0o755)
    return folder


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def unlike(shown: str, found: str, figures_vary: bool) -> str:
    """Return nothing where what was found is what is shown, else both.

    What another machine, or another version of a library, gives otherwise is left out.
    """
    wanted, got = _comparable(shown, figures_vary), _comparable(found, figures_vary)
    lines = [
        r"(?:[^\n]*\n)*?"
        if line.strip() == "..."
        else re.escape(line).replace(r"\.\.\.", ".*") + "\n"
        for line in wanted
    ]
    if re.fullmatch("".join(lines), "".join(f"{line}\n" for line in got)):
        return ""
    return "\n".join(["shown:", *wanted, "", "found:", *got])


def _comparable(text: str, figures_vary: bool) -> list[str]:
    timeless = re.sub(r"\b[\d,]+(\.\d+)? ([mµ]?s)\b", "N s", text)
    timeless = re.sub(r"\b\d+\.\d+\b", "N", timeless)
    if figures_vary:
        timeless = re.sub(r"[█-▏]+", "▏", timeless)
        timeless = re.sub(r"\d[\d,.]*\d|\d", "N", timeless)
        timeless = re.sub(r" +", " ", timeless)
    return timeless.splitlines()
