"""What augmentation does to images, for the page that shows it.

Reads arrays; writes nothing. Apart from `models`, whose code shapes the numbers of every run.
"""

import numpy as np

from ferutils.measuring import backend
from ferutils.records.recipes import Recipe


def augmented(images: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Images as the augmentation of a recipe changes them in training.

    Args:
        images: uint8 (n, 48, 48), 0..255.
        recipe: its augmentation and seed count.

    Returns:
        float32 (n, 48, 48), 0..255.

    Raises:
        ValueError: as `backend.load`.
    """
    backend.load()
    import keras

    from ferutils.measuring import models

    keras.utils.set_random_seed(recipe.seed)
    changed = images[..., None].astype("float32") / 255
    for layer in models.augmentation(recipe):
        changed = layer(changed, training=True)
    return 255 * keras.ops.convert_to_numpy(changed)[..., 0]
