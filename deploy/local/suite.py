"""The suite as processes: started in order, watched, started again when one dies, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.settings import SERVICES, VERIFYING, Settings
from shared.runtime.nats_server import start_nats

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS_MAX = 60.0


class ServiceNotReady(Exception):
    """A service did not become healthy; its log says why."""


@dataclass(slots=True)
class Suite:
    """NATS and the four services."""

    settings: Settings
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self) -> None:
        """Start everything and wait until it is healthy."""
        self.settings.check_ports()
        self.settings.check_data()
        self._start("nats")
        for service in SERVICES:
            self._start(service)
        for service in SERVICES:
            self._wait(service)

    def revive(self) -> list[str]:
        """Start again what died; return its names."""
        dead = [name for name, process in self.processes.items() if process.poll() is not None]
        for name in dead:
            self._start(name)
        return dead

    def stop(self) -> None:
        """Stop the services, then NATS; every process is gone afterwards."""
        for name in (*reversed(SERVICES), "nats"):
            process = self.processes.get(name)
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()

    def _start(self, name: str) -> None:
        if name == "nats":
            folder = self.settings.data / "nats"
            self.processes[name] = start_nats(folder, self.settings.ports["nats"])
            return
        environment = self.settings.environment(name)
        if name in VERIFYING:
            environment |= self.settings.verifying(name)
        with self._log(name).open("ab") as sink:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"services.{name}"],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self.settings.data / f"{name}.log"

    def _wait(self, name: str) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        with grpc.insecure_channel(self.settings.target(name)) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            while time.monotonic() < deadline and self.processes[name].poll() is None:
                try:
                    answer = health.Check(health_pb2.HealthCheckRequest(), timeout=1)
                    if answer.status == health_pb2.HealthCheckResponse.SERVING:
                        return
                except grpc.RpcError:
                    time.sleep(0.1)
        raise ServiceNotReady(f"{name}: {self._log(name).read_text(errors='replace')[-1500:]}")
