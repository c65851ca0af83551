"""How many digits are read right in each style, and how many empty sheets are taken for a digit.

python -m tests.benchmarks.digit_styles            50 digits in each style, none of which was tuned on
python -m tests.benchmarks.digit_styles --tuning   the others
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import cnnviz
from cnnviz.images.digit_preparation import prepare_digit
from cnnviz.images.image_files import ImageError
from tests.harness.digit_styles import JUDGING, STYLES, TUNING, picture, specimens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=50, help="digits in each style (default: 50)")
    parser.add_argument("--tuning", action="store_true", help="the digits that the preparation was tuned on")
    parser.add_argument("--only", default="", help="styles whose name holds this")
    args = parser.parse_args()
    net = cnnviz.load_model("mnist_14k")
    seed = 1000 if args.tuning else 5000
    images, labels = specimens(args.count, TUNING if args.tuning else JUDGING, seed)
    as_it_was = int((net.predict(images).argmax(axis=1) == labels).sum())
    print(f"{'style':36}{'right':>6}{'none':>6}{'empty':>7}   of {args.count}; as they are: {as_it_was}")
    worst, total, seconds, found = args.count, 0, 0.0, 0
    styles = [style for style in STYLES if args.only in style]
    for style in styles:
        digits = np.zeros_like(images)
        none = empty = 0
        for n, image in enumerate(images):
            shown = picture(image, style, seed + n)
            begun = time.process_time()
            try:
                digits[n] = prepare_digit(shown)
            except ImageError:
                none += 1
            seconds += time.process_time() - begun
            try:
                prepare_digit(picture(None, style, seed + n))
                empty += 1
            except ImageError:
                pass
        right = int((net.predict(digits).argmax(axis=1) == labels).sum())
        worst, total, found = min(worst, right), total + right, found + empty
        print(f"{style:36}{right:6}{none or '':>6}{empty or '':>7}", flush=True)
    count = args.count * len(styles)
    print(f"{total} of {count} right, {worst} of {args.count} in the worst style; {found} of {count} empty")
    print(f"sheets taken for a digit; {1000 * seconds / count:.0f} ms of a processor a picture")


if __name__ == "__main__":
    main()
