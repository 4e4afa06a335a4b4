"""Transfer learning as Keras' guide gives it: a frozen base, a dense head, two epochs. One JSON line.

    python keras_photographs.py TRAIN TEST SEED WEIGHTS.npz [SIDE]

Keras has no EfficientNet-Lite0, so the base is built here from the published weights' names and shapes (`WEIGHTS.npz`,
timm's names), and first checked against timm's own features of one picture, which lie in the same file. Data from
`image_dataset_from_directory`, flips and small rotations, dropout 0.2, Adam, batch 64.
"""

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
STRIDES = (1, 2, 2, 2, 1, 2, 1)  # of the stages' first blocks
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Base:
    """EfficientNet-Lite0 without its head: pixels 0 … 255 (N, S, S, 3) → (N, S / 32, S / 32, 1280)."""

    def __init__(self, weights, side):
        self.weights, self.filled = weights, []
        inputs = keras.Input((side, side, 3))
        shifts = [-mean / std for mean, std in zip(MEAN, STD, strict=True)]
        x = layers.Rescaling([1 / (255 * std) for std in STD], shifts)(inputs)
        x = self.convolved(x, "conv_stem", "bn1", stride=2)
        for stage, stride in enumerate(STRIDES):
            block = 0
            while f"blocks.{stage}.{block}.bn1.weight" in weights:
                x = self.block(x, f"blocks.{stage}.{block}", stride if block == 0 else 1)
                block += 1
        self.model = keras.Model(inputs, self.convolved(x, "conv_head", "bn2"))
        for layer, values in self.filled:
            layer.set_weights(values)

    def block(self, x, name, stride):
        if f"{name}.conv_pwl.weight" in self.weights:
            y = self.convolved(x, f"{name}.conv_pw", f"{name}.bn1")
            y = self.convolved(y, f"{name}.conv_dw", f"{name}.bn2", stride)
            y = self.convolved(y, f"{name}.conv_pwl", f"{name}.bn3", activated=False)
        else:
            y = self.convolved(x, f"{name}.conv_dw", f"{name}.bn1", stride)
            y = self.convolved(y, f"{name}.conv_pw", f"{name}.bn2", activated=False)
        return layers.Add()([x, y]) if stride == 1 and x.shape[-1] == y.shape[-1] else y

    def convolved(self, x, name, norm, stride=1, activated=True):
        kernel = self.weights[f"{name}.weight"]  # (out, in / groups, k, k)
        side = kernel.shape[2]
        if side > 1:
            x = layers.ZeroPadding2D(side // 2)(x)
        if name.endswith("conv_dw"):
            layer = layers.DepthwiseConv2D(side, stride, use_bias=False)
            values = kernel.transpose(2, 3, 0, 1)
        else:
            layer = layers.Conv2D(kernel.shape[0], side, stride, use_bias=False)
            values = kernel.transpose(2, 3, 1, 0)
        normed = layers.BatchNormalization(epsilon=1e-5)
        self.filled += [(layer, [values]), (normed, [self.weights[f"{norm}.{part}"] for part in
                                                     ("weight", "bias", "running_mean", "running_var")])]  # fmt: skip
        x = normed(layer(x))
        return layers.ReLU(6.0)(x) if activated else x


def pictures(folder: str, side: int, seed: int, **part: object) -> tf.data.Dataset:
    return keras.utils.image_dataset_from_directory(
        folder, image_size=(side, side), batch_size=64, crop_to_aspect_ratio=True, seed=seed, verbose=False, **part
    )


def main(train: str, test: str, seed: int, weights: Path, side: int = 224) -> None:
    keras.utils.set_random_seed(seed)
    stored = np.load(weights)
    base = Base(stored, 224).model
    features = base(stored["picture"][None].astype(np.float32)).numpy().mean((1, 2))[0]
    difference = float(np.abs(features - stored["features"]).max())
    assert difference < 1e-3, f"the base is not timm's network: its features differ by {difference}"
    base = base if side == 224 else Base(stored, side).model
    base.trainable = False
    learning = pictures(train, side, seed, validation_split=0.1, subset="training")
    validation = pictures(train, side, seed, validation_split=0.1, subset="validation")
    classes = learning.class_names
    augment = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)])
    learning = learning.map(lambda x, y: (augment(x, training=True), y), num_parallel_calls=tf.data.AUTOTUNE)
    inputs = keras.Input((side, side, 3))
    x = layers.GlobalAveragePooling2D()(base(inputs, training=False))
    model = keras.Model(inputs, layers.Dense(len(classes))(layers.Dropout(0.2)(x)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    ahead = tf.data.AUTOTUNE
    model.fit(learning.prefetch(ahead), epochs=2, validation_data=validation.prefetch(ahead), verbose=0)
    begin = time.perf_counter()
    accuracy = model.evaluate(pictures(test, side, seed, shuffle=False).prefetch(ahead), verbose=0)[1]
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__, "python": sys.version.split()[0]}
    print("\n" + json.dumps({"accuracy": float(accuracy), "test_s": time.perf_counter() - begin,
                             "features_differ": difference, "versions": versions}))  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), *map(int, sys.argv[5:]))
