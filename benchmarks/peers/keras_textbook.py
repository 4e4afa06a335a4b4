"""The textbook Keras model for some epochs of Fashion-MNIST, no validation: how many pictures a second it learns from.

    python keras_textbook.py FOLDER EPOCHS

The same network as `textbook_cnn`, batch 32, as `keras_fashion_mnist.py`. One JSON line; the first epoch, in which
TensorFlow compiles, is left out.
"""

import gzip
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

keras = tf.keras
layers = keras.layers


class Clock(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.begin = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.begin)


def read(path: Path, header: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def main(folder: Path, epochs: int) -> None:
    pixels = read(folder / "train-images-idx3-ubyte.gz", 16)
    labels = read(folder / "train-labels-idx1-ubyte.gz", 8)
    pictures = pixels.reshape(-1, 28, 28, 1) / np.float32(255)
    model = keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, padding="same", activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, padding="same", activation="relu"), layers.MaxPooling2D(2),
        layers.Flatten(), layers.Dense(100, activation="relu"), layers.Dropout(0.4), layers.Dense(10, "softmax"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    clock = Clock()
    model.fit(pictures, labels.astype(np.int64), epochs=epochs, batch_size=32, callbacks=[clock], verbose=0)
    later = clock.seconds[1:] or clock.seconds
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__, "python": sys.version.split()[0]}
    print(json.dumps({"pictures_a_second": len(pictures) * len(later) / sum(later), "epochs_s": clock.seconds,
                      "parameters": model.count_params(), "versions": versions}))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
