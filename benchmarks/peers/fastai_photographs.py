"""fastai as its documentation has it: `vision_learner(...).fine_tune`, with efficientnet_lite0 and the same weights.

    python fastai_photographs.py TRAIN TEST SEED

fastai takes its models from timm, whose weights are fetched; here the same published file comes from a package
(`timm_weights.py`). One JSON line; `test_s` is what answering for TEST took, after learning.
"""

import json
import os
import sys
import time

import timm
import timm_weights

timm.create_model = timm_weights.create_model

from fastai.vision.all import (  # noqa: E402
    ImageDataLoaders,
    Resize,
    aug_transforms,
    error_rate,
    get_image_files,
    set_seed,
    vision_learner,
)


def main(train: str, test: str, seed: int) -> None:
    set_seed(seed)
    dls = ImageDataLoaders.from_folder(
        train, valid_pct=0.1, seed=seed, item_tfms=Resize(256), batch_tfms=aug_transforms(size=224),
        num_workers=os.cpu_count(),
    )  # fmt: skip
    learn = vision_learner(dls, timm_weights.NAME, metrics=error_rate)
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(1)
        begin = time.perf_counter()
        files = get_image_files(test)
        scores, _ = learn.get_preds(dl=dls.test_dl(files))
    right = sum(dls.vocab[int(guess)] == file.parent.name for guess, file in zip(scores.argmax(1), files, strict=True))
    told = {"accuracy": right / len(files), "test_s": time.perf_counter() - begin}
    print("\n" + json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
