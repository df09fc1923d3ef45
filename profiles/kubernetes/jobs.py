"""What Snakemake asks of Kubernetes: to submit a job script, and how a job is getting on.

Reads FERUTILS_IMAGE, FERUTILS_CLAIM and what a run reads of the environment; calls kubectl.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PASSED_ON = ("FER2013", "FERUTILS_CACHE", "FERUTILS_RUNS", "KERAS_BACKEND")


def manifest(script: str, threads: int, mem_mb: int, cards: int) -> dict:
    """A Kubernetes job that runs a script with the repository's volume mounted."""
    limits = {"memory": f"{mem_mb}Mi"} | ({"nvidia.com/gpu": cards} if cards else {})
    container = {
        "name": "run",
        "image": os.environ["FERUTILS_IMAGE"],
        "command": ["sh", script],
        "workingDir": str(REPOSITORY),
        "env": [
            {"name": name, "value": os.environ[name]} for name in PASSED_ON if name in os.environ
        ],
        "resources": {"requests": {"cpu": threads}, "limits": limits},
        "volumeMounts": [{"name": "repository", "mountPath": str(REPOSITORY)}],
    }
    claim = {"claimName": os.environ["FERUTILS_CLAIM"]}
    pod = {
        "restartPolicy": "Never",  # Snakemake sends it again
        "containers": [container],
        "volumes": [{"name": "repository", "persistentVolumeClaim": claim}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": "ferutils-", "labels": {"app": "ferutils"}},
        "spec": {"backoffLimit": 0, "ttlSecondsAfterFinished": 86400, "template": {"spec": pod}},
    }


def submit(threads: str, mem_mb: str, cards: str, script: str) -> str:
    """Create the job; its name as kubectl knows it."""
    job = manifest(script, int(threads), int(mem_mb), int(cards))
    return kubectl("create", "--filename=-", "--output=name", stdin=json.dumps(job)).strip()


def status(name: str) -> str:
    """Whether a job is running, success or failed; one that somebody deleted has failed."""
    found = kubectl("get", name, "--ignore-not-found", "--output=json")
    state = json.loads(found)["status"] if found.strip() else {"failed": 1}
    return "success" if state.get("succeeded") else "failed" if state.get("failed") else "running"


def kubectl(*arguments: str, stdin: str = "") -> str:
    """What kubectl prints."""
    return subprocess.run(
        ["kubectl", *arguments], input=stdin, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


if __name__ == "__main__":
    print({"submit": submit, "status": status}[sys.argv[1]](*sys.argv[2:]))
