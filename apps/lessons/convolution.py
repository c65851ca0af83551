# %% [markdown]
# # Convolution
# A small array of weights slides over its input; at every position the products are added up. All
# positions share the weights.

# %%
import numpy as np

import cnnviz
from cnnviz import animate, figures, kernels, ops
from cnnviz.concepts import playground
from cnnviz.ops.padding import window
from cnnviz.teaching.questions.convolution import output_size, parameters, same_sides, transposed_size

digit = cnnviz.load_mnist()[1][0][0]
corner = playground.liveliest(digit, 8)
x = playground.patch(digit, *corner, 8)
kernel = kernels.named("sobel x").kernel.astype(np.float32)

# %% [markdown]
# ## One position after the other
# In a notebook `animation` by itself shows it; `animation.save("convolution.gif")` keeps it.

# %%
animation = animate.conv2d(x, kernel, padding="same", pixels=True)
print(animation)
print(animation.words(10))
print(ops.conv2d(x, kernel[:, :, None, None], padding="same").round(1))

# %% [markdown]
# ## How many positions there are
# The floor leaves out what does not fill a step; an odd cell of 'same' goes to the bottom and right.

# %%
for stride, padding in ((1, "valid"), (2, "valid"), (2, "same"), (2, ((2, 0), (1, 1)))):
    axes = window((8, 8), (3, 3), (stride, stride), padding)
    print(f"stride {stride}, padding {padding}: rows {playground.size_formula(axes.rows)}")
for same in playground.same_padding(range(6, 10), kernel=3, stride=2):
    print(f"{same.size} cells, stride 2: {same.before} zeros before, {same.after} after, {same.out} outputs")

# %% [markdown]
# ## Correlation, convolution, and the way back
# Networks do not turn the kernel. A transposed convolution brings the size back, not the values.

# %%
print(figures.correlation_and_convolution(x, kernel, padding="same"))
y = ops.conv2d(x, kernel[:, :, None, None], strides=2, padding="same")
undone = playground.backwards(window(x.shape, kernel.shape, (2, 2), "same"))
back = ops.conv2d_transpose(y, kernel[:, :, None, None], strides=2, **undone)
print(y.shape, "->", back.shape, "largest difference from x:", np.abs(back - x).max())

# %% [markdown]
# ## In the trained network
# The weights of one kernel are as deep as its input; groups and depthwise kernels read fewer channels.

# %%
net = cnnviz.load_model("mnist_14k")
run = net.run(digit)
print(cnnviz.explain(run, "conv2d", row=7, col=12, channel=2))
for name, cost in playground.cost_by_kind(net["conv2d_1"]):
    print(f"{name:>10}: {cost.parameters:,} weights")

# %% [markdown]
# ## Questions

# %%
for question in (
    output_size(28, 3, stride=2),
    same_sides(28, 3, stride=2),
    parameters(net["conv2d_1"]),
    transposed_size(x, kernel, strides=2, padding="same"),
):
    print(question.with_answer())
