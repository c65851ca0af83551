# %% [markdown]
# # Feature maps
# A feature map is one channel of a layer's output: the response of one kernel at every position. It is
# a table of numbers; what they stand for was learned, and need not have a name.

# %%
import cnnviz
from cnnviz import figures
from cnnviz.channels.ablation import ablate
from cnnviz.concepts.exciting import read_exciting
from cnnviz.concepts.partial_sums import partial_sums
from cnnviz.teaching.questions.feature_maps import maps_that_change, value_from_partial_sums

images, labels = cnnviz.load_mnist()[1]
net = cnnviz.load_model("mnist_14k")
run = net.run(images[18])
name = "conv2d_3"
maps = run[name][0]
channel = figures.strongest_channel(maps)
row, col = figures.strongest(maps[:, :, channel])
print(f"{name}: {maps.shape[2]} maps of {maps.shape[0]} × {maps.shape[1]}")
print(f"largest value {maps[row, col, channel]:.4f}, in channel {channel} at row {row}, column {col}")
figures.feature_maps(maps, selected=channel, cell=(row, col))

# %% [markdown]
# ## What excites a channel most
# Over all 10,000 test digits: the digit, the strongest cell, and the pixels that this cell sees.

# %%
fields = cnnviz.receptive_field(net)
top = read_exciting("mnist_14k").of(name, channel)[:6]
for one in top:
    (above, below), (left, right) = fields[name].box(one.row, one.col)
    where = f"rows {above} to {below}, columns {left} to {right}"
    print(f"test digit {one.image}, label {labels[one.image]}: {one.value:.2f}, from {where}")

# %% [markdown]
# ## Where its numbers come from
# Each input channel gives a map of partial sums; they and the bias add up to the pre-activation.

# %%
sums = partial_sums(run, name, channel)
print([f"{part:+.2f}" for part in sums.parts[row, col]], f"bias {sums.bias:+.2f}")
print(f"sum {sums.total[row, col]:.5f}, the network's {sums.value[row, col]:.5f}, {sums.residual:.1e} apart")
figures.sum_of_parts(sums.parts, sums.bias, sums.value, cell=(row, col))

# %% [markdown]
# ## Two digits
# The same kernels on another digit; one scale for both.

# %%
other = net.run(images[1])[name][0]
figures.before_and_after(maps, other, titles=("test digit 18", "test digit 1"), selected=channel)

# %% [markdown]
# ## Switched off
# One channel set to zero at a time: what is left of the prediction.

# %%
found = ablate(run, name)
worst = found.ranking[0]
print(f"{found.predicted} with {found.whole[found.predicted]:.2%}; without channel {worst}:")
print(f"{found.predictions[worst]} is predicted, {found.remaining[worst]:.2%} is left of {found.predicted}")
figures.channels_off(found.whole, found.without)

# %% [markdown]
# ## Questions

# %%
contested = sums.contested  # Where partial sums of both signs cancel most.
asked = (value_from_partial_sums(run, name, channel, *contested), maps_that_change(run, name, channel))
for question in asked:
    print(question.with_answer())
