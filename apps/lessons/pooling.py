# %% [markdown]
# # Pooling
# One number of each window: the largest, or the mean. Every channel by itself; nothing is learned.

# %%
import cnnviz
from cnnviz import animate, figures, ops
from cnnviz.concepts import downsampling as pooling
from cnnviz.concepts import playground
from cnnviz.teaching.questions.pooling import as_a_convolution, average, output_size, telling_window, winner

digit = cnnviz.load_mnist()[1][0][0]
net = cnnviz.load_model("mnist_14k")
name = pooling.pooled_layer(net)
maps = net.run(digit)[name][0]
channel = figures.strongest_channel(maps)
x = maps[:, :, channel]
print(f"{name}, channel {channel}: {x.shape}")

# %% [markdown]
# ## The largest and the mean
# Which cell wins is known for every window: in training it is the only one that the gradient reaches.

# %%
largest, mean = ops.max_pool2d(x, 2), ops.avg_pool2d(x, 2)
print(largest.shape, float(largest.max()), float(mean.max()))
print("the first windows' winners:", pooling.winners(x, 2)[0, :3].tolist())
print(figures.max_and_average(x, 2))

# %% [markdown]
# ## Window by window
# Padding cannot win and is not counted. In a notebook `animation` by itself shows it.

# %%
piece = playground.patch(x, *playground.liveliest(x, 6), 6)
for animation in (animate.max_pool2d(piece, 3, strides=2, padding="same"), animate.avg_pool2d(piece, 2)):
    print(animation, animation.words(0))

# %% [markdown]
# ## Through the network
# Each pooling divides the size; no parameter is spent on it.

# %%
print(" -> ".join(str(part.size[0]) for part in pooling.size_chain(net)))

# %% [markdown]
# ## A move by one pixel
# Cell against cell, as shares of the map: pooled maps change less, but they do change.

# %%
for rows, cols in ((0, 1), (0, 2), (1, 1)):
    move = pooling.pooled_move(net, digit, name, rows, cols)
    print((rows, cols), "map {:.0%}, max {:.0%}, average {:.0%}".format(*move.changes))

# %% [markdown]
# ## Questions

# %%
window = telling_window(x, 2) or (0, 0)
for question in (
    winner(x, *window),
    average(x, *window),
    as_a_convolution(net["max_pooling2d"]),
    output_size((27, 27), 2),
):
    print(question.with_answer())
