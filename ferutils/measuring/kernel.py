"""The Jupyter kernel `fer-gpu`, in which a run is trained on a GPU or not at all.

Writes a kernel specification into the environment of this Python. Needs no Keras.
"""

import sys
from pathlib import Path

from ipykernel import kernelspec

from ferutils.measuring.devices import GROWING

NAME = "fer-gpu"
# What makes the same run give the same numbers on the same card, at some cost of speed.
DETERMINISTIC = {
    "tensorflow": {"TF_DETERMINISTIC_OPS": "1"},
    "jax": {"XLA_FLAGS": "--xla_gpu_deterministic_ops=true"},
    "torch": {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"},
}


def environment(backend: str, cards: str | None, deterministic: bool) -> dict[str, str]:
    """The environment variables of the kernel.

    Args:
        backend: of Keras, a key of `GROWING`.
        cards: the cards it may use, as CUDA_VISIBLE_DEVICES names them; None: any.
        deterministic: whether the same numbers matter more than speed.
    """
    visible = {} if cards is None else {"CUDA_VISIBLE_DEVICES": cards}
    return {
        "FERUTILS_DEVICE": "gpu",
        "KERAS_BACKEND": backend,
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # so that numbers of cards are those of nvidia-smi
        **visible,
        **GROWING[backend],
        **(DETERMINISTIC[backend] if deterministic else {}),
    }


def install(
    backend: str = "tensorflow",
    cards: str | None = None,
    deterministic: bool = True,
    prefix: str = sys.prefix,
) -> Path:
    """Install the kernel, in place of one of the same name.

    Args:
        backend: as for `environment`.
        cards: as for `environment`.
        deterministic: as for `environment`.
        prefix: the folder of the Python environment that gets it.

    Returns:
        The kernel's folder.
    """
    return Path(
        kernelspec.install(
            kernel_name=NAME,
            display_name=f"Facial expressions on a GPU ({backend})",
            prefix=prefix,
            env=environment(backend, cards, deterministic),
        )
    )
