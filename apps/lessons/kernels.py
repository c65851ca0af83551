# %% [markdown]
# # Kernels
# The small array of weights that a convolution slides over its input decides what it responds to.
# Some kernels were thought out by someone and have names; a network's are learned.

# %%
import numpy as np

import cnnviz
from cnnviz import figures, kernels, ops
from cnnviz.teaching.questions.kernels import on_a_plain_area, twice_in_a_row

digit = cnnviz.load_mnist()[1][0][0] / 255
photo = kernels.photograph()

# %% [markdown]
# ## A kernel on an image
# Sobel's finds where brightness rises to the right. It is built from what defines it: a slope across, a
# smoothing along.

# %%
sobel = kernels.named("sobel x")
print(sobel, "after", sobel.source)
print(np.outer(kernels.binomial(3) * 4, [-1, 0, 1]) - sobel.kernel)
response = ops.conv2d(photo, sobel.kernel[:, :, None, None])
figures.kernel_response(photo, sobel.kernel, response, photograph=True)

# %% [markdown]
# ## A column times a row
# Such a kernel costs height plus width multiplications a pixel instead of height times width. Its rank
# tells: 1 is separable.

# %%
for name in ("gaussian", "sobel x", "laplacian", "motion blur 45°"):
    found = kernels.separation(kernels.named(name).kernel)
    print(f"{name:>16}: rank {found.rank}, {found.cost} multiplications a pixel, whole {found.whole_cost}")
parts = kernels.separation(sobel.kernel)
in_two_steps = ops.conv2d(
    ops.conv2d(digit, parts.column[:, None, None, None]), parts.row[None, :, None, None]
)
in_one = ops.conv2d(digit, sobel.kernel[:, :, None, None])
print("largest difference:", np.abs(in_two_steps - in_one).max())
figures.outer_product(sobel.kernel)

# %% [markdown]
# ## What it does to waves
# Its Fourier transform says how many times larger a wave comes out. A blur lets slow ones through, a
# Laplacian fast ones.

# %%
for name in ("box", "sobel x", "laplacian", "gabor 45°"):
    print(f"{name:>10}: {kernels.frequency_response(kernels.named(name, None).kernel).peak}")
figures.frequency_map(sobel.kernel)

# %% [markdown]
# ## The trained ones
# How near is near? Random kernels come as near as the last line says, half of the time.

# %%
nets = [cnnviz.load_model(name) for name in ("mnist_14k", "mnist_maxpool")]
trained = kernels.sort_trained(kernel for net in nets for kernel in kernels.trained_kernels(net))
for kernel in (*trained[:3], *trained[-3:]):
    print(kernel)
print(f"random ones: {kernels.chance_similarity(3):.2f}")

# %% [markdown]
# ## Questions

# %%
for question in (on_a_plain_area(sobel.kernel), on_a_plain_area(kernels.sharpen()), twice_in_a_row(3)):
    print(question.with_answer())
