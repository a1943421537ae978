"""Real processes for system tests: free ports, NATS, services, and buf curl as the client."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
BUF = Path(sys.executable).with_name("buf")
READY_SECONDS_MAX = 90.0


class CallRefused(Exception):
    """A call was answered with an error; `code` and `text` as buf curl printed them."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


GIVEN: set[int] = set()
CHANCE = random.SystemRandom()
PORTS = range(12_000, 32_000)
"""Below those that the system gives to who calls, and would give before a server is up."""


def free_port() -> int:
    """Return a port that is free, and was not given in this process before."""
    while True:
        port = CHANCE.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in GIVEN:
                GIVEN.add(port)
                return port


@dataclass
class Service:
    """One service as its own process, that can be killed and started again."""

    name: str
    port: int
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.sink() as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"services.{self.name}"],
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdout=sink,
                stderr=sink,
            )
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(f"{self.name} did not start: {self.log.read_text()[-2000:]}")

    def sink(self) -> IO[bytes]:
        """Open what its output goes to."""
        return self.log.open("ab")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=20)

    def call(self, method: str, /, **body: Any) -> dict[str, Any]:
        """Call an rpc with buf curl, by reflection; keys as in the proto's JSON."""
        url = f"http://127.0.0.1:{self.port}/{method}"
        command = [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge"]
        done = subprocess.run(
            [*command, "-d", json.dumps(body), url], capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            text = done.stderr or done.stdout
            try:
                code = json.loads(text)["code"]
            except ValueError:
                code = "unreadable"
            raise CallRefused(code, text)
        return json.loads(done.stdout or "{}")


@dataclass
class Suite:
    """Services by name, and what else runs for them."""

    services: dict[str, Service] = field(default_factory=dict)

    def stop(self) -> None:
        for service in self.services.values():
            service.stop()
