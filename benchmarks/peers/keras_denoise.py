"""Keras' example of a convolutional autoencoder for image denoising, on Fashion-MNIST. Prints one JSON line.

    python keras_denoise.py DATA.npz OUT.npy EPOCHS SEED

The network and the training are those of keras.io's example: two convolutions of 32 with pooling, two transposed ones,
a sigmoid; Adam, binary cross entropy, batches of 128; every training picture has noise of deviation 0.4, drawn once and
cut off. Answers to the `noisy` pictures of DATA go to OUT, uint8.
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

keras = tf.keras


def main(data: str, out: str, epochs: int, seed: int) -> None:
    keras.utils.set_random_seed(seed)
    pictures = np.load(data)
    train = pictures["train"][..., None] / np.float32(255)
    noise = 0.4 * np.random.default_rng(seed).standard_normal(train.shape, np.float32)
    noisy = np.clip(train + noise, 0.0, 1.0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(2, padding="same"),
            layers.Conv2D(32, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(2, padding="same"),
            layers.Conv2DTranspose(32, 3, strides=2, activation="relu", padding="same"),
            layers.Conv2DTranspose(32, 3, strides=2, activation="relu", padding="same"),
            layers.Conv2D(1, 3, activation="sigmoid", padding="same"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    begin = time.perf_counter()
    history = model.fit(noisy, train, epochs=epochs, batch_size=128, shuffle=True, verbose=0)
    training = time.perf_counter() - begin
    answers = model.predict(pictures["noisy"][..., None] / np.float32(255), batch_size=256, verbose=0)[..., 0]
    np.save(out, np.rint(255 * answers).astype(np.uint8))
    print(
        json.dumps(
            {"training_s": training, "epochs": epochs, "loss": float(history.history["loss"][-1]),
             "tensorflow": tf.__version__, "keras": keras.__version__}
        )
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
