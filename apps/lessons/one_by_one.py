# %% [markdown]
# # 1×1
# A 1×1 convolution multiplies the channels of every pixel with one matrix: a dense layer, applied at each
# pixel by itself. With stride 1 height and width stay as they are.

# %%
import numpy as np

import cnnviz
from cnnviz import channels, figures, ops
from cnnviz.teaching.questions.one_by_one import numbers_that_change, weights_on_larger_maps

images, labels = cnnviz.load_mnist()[1]
net = cnnviz.load_model("mnist_14k")
name = channels.mixing_layers(net)[0]
layer = net[name]
run = net.run(images[18])
x = run.inputs(name)[0][0]
matrix, bias = channels.mixing_matrix(layer.weights["kernel"]), layer.weights["bias"]
print(f"{name}: {x.shape} in, a matrix of {matrix.shape}, {run[name][0].shape} out")

# %% [markdown]
# ## One pixel
# Its 16 numbers times one column of the matrix, added up, and the bias: one of the 10 numbers that go out.

# %%
row, col, out = 14, 17, 0
products = x[row, col].astype(float) * matrix[:, out]
total, value = products.sum() + bias[out], run.pre_activation(name)[0, row, col, out]
print(f"sum {total:.7f}, the network's {value:.7f}, difference {total - value:.1e}")
figures.pixel_mixing(x[row, col], matrix, bias, selected=out)

# %% [markdown]
# ## A dense layer at every pixel
# With the pixels one a row, `ops.dense` gives the same maps; so does the layer on shuffled pixels.

# %%
check = channels.compare_with_dense(run, name)
print(f"dense: {check.difference:.1e} apart at most; shuffled: {check.shuffled_difference:.1e}")
pixels = x.reshape(-1, x.shape[-1])
print(np.array_equal(ops.dense(pixels, matrix, bias).reshape(check.dense.shape), check.dense))

# %% [markdown]
# ## How much of it is needed
# Only the outputs of which most leaves the activation, or only the largest singular directions. Nothing is
# trained again.

# %%
trial = channels.ReductionTrial(net, name, images[:300], labels[:300])
for by in ("leaving", "singular"):
    for reduction, evaluation in trial.sweep(by)[2::4]:
        cost = reduction.cost.everywhere(layer.output_shape[:2])
        print(
            f"{by} {reduction.k:2}: error {reduction.error:.1%}, accuracy {evaluation.accuracy:.1%}, {cost}"
        )

# %% [markdown]
# ## What it is good for
# Fewer channels make what follows cheaper, if the 1×1 costs less than it saves.

# %%
found = channels.compare_without_mixing(net, name)
print("the 1×1 itself:", found.steps[0])
print("saved in the layer behind:", found.direct - found.steps[1])
print(
    "a bottleneck of 256, 64, 256:", [f"{saving:.2f}" for saving in channels.bottleneck(256, 64, 14).saving]
)

# %% [markdown]
# ## Questions

# %%
for question in (numbers_that_change(layer, x, row, col), weights_on_larger_maps(layer)):
    print(question.with_answer())
