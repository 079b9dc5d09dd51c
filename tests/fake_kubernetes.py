"""A cluster's interface on this machine, which takes jobs as Kubernetes does.

A pod is a process in an empty folder, with the environment that an image and its secrets give it;
volumes are folders that lie where they are mounted. What is no part of that, such as placing pods
on nodes, is not here.
"""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

QUANTITY = r"\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?"
"""An amount as Kubernetes takes it, as far as it is of use here."""

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: fake, cluster: {{server: "{address}"}}}}]
users: [{{name: nobody, user: {{}}}}]
contexts: [{{name: fake, context: {{cluster: fake, user: nobody}}}}]
current-context: fake
"""


@dataclass
class Cluster:
    """What a cluster was asked for, and how it is to fail.

    folder: where pods have their empty folders; image: the environment of the image; evicted: how
    many jobs, the first ones, are evicted before they begin; hiccups: what is answered by an error
    the first time; jobs: the body of each, as it was posted; secrets: by name; asked: the resource
    and the verb of each request, as a Role names them.
    """

    folder: Path
    image: dict[str, str]
    evicted: int = 0
    hiccups: set[tuple[str, str]] = field(default_factory=set)
    jobs: list[dict] = field(default_factory=list)
    secrets: dict[str, dict] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)
    logs: dict[str, Path] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def fails(self, resource: str, verb: str) -> bool:
        """Take note of a request and say whether it is to fail."""
        self.asked.append((resource, verb))
        return (resource, verb) in self.hiccups and self.asked.count((resource, verb)) == 1

    def start(self, job: dict) -> None:
        """Start the pod of a job."""
        self.jobs.append(job)
        name = job["metadata"]["name"]
        (container,) = job["spec"]["template"]["spec"]["containers"]
        environment = dict(self.image)
        for variable in container["env"]:
            reference = variable["valueFrom"]["secretKeyRef"]
            value = self.secrets[reference["name"]][reference["key"]]
            environment[variable["name"]] = base64.b64decode(value).decode()
        command = [*container["command"], *container["args"]]
        if len(self.jobs) <= self.evicted:
            command = [sys.executable, "-c", "raise SystemExit('evicted')"]
        self.logs[name] = self.folder / f"{name}.log"
        with self.logs[name].open("w") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=tempfile.mkdtemp(dir=self.folder),
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # as the first process of a container has one
            )

    def ended(self, name: str) -> int | None:
        return self.processes[name].poll()

    def pod(self, name: str) -> dict:
        code = self.ended(name)
        state = {"running": {}} if code is None else {"terminated": {"exitCode": code}}
        container = {
            "name": "snakemake",
            "image": "",
            "imageID": "",
            "ready": code is None,
            "restartCount": 0,
            "state": state,
        }
        return {"metadata": {"name": name}, "status": {"containerStatuses": [container]}}


def wrong_quantities(job: dict) -> list[str]:
    """Return the amounts that a job asks for and that are none."""
    containers = job["spec"]["template"]["spec"]["containers"]
    amounts = [
        amount
        for container in containers
        for asked in container["resources"].values()
        for amount in asked.values()
    ]
    return [amount for amount in amounts if not re.fullmatch(QUANTITY, amount)]


@contextmanager
def running(cluster: Cluster) -> Iterator[Path]:
    """Serve a cluster and yield the path of the kubeconfig that leads to it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            kind = self.path.rpartition("/")[2]
            if cluster.fails(kind, "create"):
                self.refuse(500, "etcdserver: leader changed")
            elif kind == "secrets":
                cluster.secrets[body["metadata"]["name"]] = body["data"]
                self.answer(201, body)
            elif wrong := wrong_quantities(body):
                self.refuse(400, f"quantities must match the regular expression: {wrong}")
            else:
                assert self.path == "/apis/batch/v1/namespaces/default/jobs"
                cluster.start(body)
                self.answer(201, body)

        def do_GET(self):
            if status := re.fullmatch(r".*/jobs/([^/]+)/status", self.path):
                if cluster.fails("jobs/status", "get"):
                    self.refuse(500, "etcdserver: leader changed")
                elif status[1] not in cluster.processes:
                    self.refuse(404, f'jobs.batch "{status[1]}" not found')
                else:
                    code = cluster.ended(status[1])
                    counts = {} if code is None else {"failed" if code else "succeeded": 1}
                    self.answer(200, {"metadata": {"name": status[1]}, "status": counts})
            elif pods := re.fullmatch(r".*/pods\?labelSelector=job-name%3D(.+)", self.path):
                if cluster.fails("pods", "list"):
                    self.refuse(500, "etcdserver: leader changed")
                else:
                    self.answer(200, {"items": [cluster.pod(pods[1])]})
            elif log := re.fullmatch(r".*/pods/([^/]+)/log\?(.*)", self.path):
                if cluster.fails("pods/log", "get"):
                    self.refuse(500, "dial tcp: no route to host")  # as of a node that is lost
                elif "previous=True" in log[2]:  # as kubelet says it of a pod that never restarts
                    self.refuse(400, f'previous terminated container in pod "{log[1]}" not found')
                else:
                    self.answer(200, cluster.logs[log[1]].read_text())
            else:
                self.refuse(404, "the server could not find the requested resource")

        def do_DELETE(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            *_, kind, name = self.path.partition("?")[0].split("/")
            if cluster.fails(kind, "delete"):
                self.refuse(500, "etcdserver: leader changed")
                return
            cluster.removed.append(f"{kind}/{name}")
            if kind == "jobs":
                cluster.processes[name].terminate()
            self.answer(200, {})

        def refuse(self, code, message):
            self.answer(code, {"kind": "Status", "code": code, "message": message})

        def answer(self, code, body):
            content = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(code)
            self.send_header(
                "Content-Type", "text/plain" if isinstance(body, str) else "application/json"
            )
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments):
            """Keep the output of tests clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    path = cluster.folder / "kubeconfig"
    path.write_text(KUBECONFIG.format(address=f"http://127.0.0.1:{server.server_port}"))
    try:
        yield path
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        for process in cluster.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def image_environment(root: Path) -> dict[str, str]:
    """Return the environment of the image: its python first, and the executor of the profile."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
        "PYTHONPATH": str(root / "workflow" / "profiles" / "kubernetes"),
        "HOME": tempfile.gettempdir(),
    }
