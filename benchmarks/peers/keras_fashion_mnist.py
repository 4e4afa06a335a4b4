"""The textbook Keras model on full Fashion-MNIST, as courses teach it. Prints one JSON line.

Conv 32 3×3 same, pool 2, conv 64 3×3 same, pool 2, dense 100, dropout 0.4, dense 10; Adam, batch 32, 20 % of the
training pictures for validation, early stopping with patience 2, restoring the best weights.
"""

import gzip
import json
import os
import resource
import sys
import time
from pathlib import Path

START = time.perf_counter()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

keras = tf.keras


def read(folder: Path, name: str, offset: int) -> np.ndarray:
    return np.frombuffer(gzip.open(folder / f"{name}.gz").read(), np.uint8, offset=offset)


def main(folder: Path, seed: int) -> None:
    keras.utils.set_random_seed(seed)
    pictures = {
        k: read(folder, f"{k}-images-idx3-ubyte", 16).reshape(-1, 28, 28, 1) / np.float32(255)
        for k in ("train", "t10k")
    }
    labels = {k: read(folder, f"{k}-labels-idx1-ubyte", 8).astype(np.int64) for k in ("train", "t10k")}
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(100, activation="relu"),
            layers.Dropout(0.4),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    order = np.random.default_rng(seed).permutation(60_000)
    begin = time.perf_counter()
    history = model.fit(
        pictures["train"][order], labels["train"][order], validation_split=0.2, epochs=20, batch_size=32,
        callbacks=[stop], verbose=0,
    )  # fmt: skip
    training = time.perf_counter() - begin
    accuracy = model.evaluate(pictures["t10k"], labels["t10k"], verbose=0)[1]
    print(
        json.dumps(
            {
                "accuracy": float(accuracy),
                "epochs": len(history.history["loss"]),
                "training_s": training,
                "process_s": time.perf_counter() - START,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "versions": {
                    "tensorflow": tf.__version__,
                    "keras": keras.__version__,
                    "python": sys.version.split()[0],
                },
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
