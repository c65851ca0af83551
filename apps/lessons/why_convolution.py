# %% [markdown]
# # Why convolution
# A convolution is a dense layer with two promises: each output looks at its neighbourhood only, and all
# positions use the same weights. So it needs few, and its maps move along with the image.

# %%
import cnnviz
from cnnviz import figures, ops
from cnnviz.concepts.translation import compare_shift, predictions_over_shifts
from cnnviz.concepts.weight_sharing import busiest_patch, connections, convolution_matrix
from cnnviz.teaching.questions.why_convolution import how_far_a_map_moves, weights_for_larger_images

net = cnnviz.load_model("mnist_14k")
digit = cnnviz.load_mnist()[1][0][3]

# %% [markdown]
# ## The dense layer that does the same
# On 6 × 6 pixels: 16 outputs, 36 inputs, most weights 0, and the others the kernel's nine.

# %%
patch = busiest_patch(digit / 255)
kernel = net["conv2d"].weights["kernel"][:, :, 0, 3]
found = convolution_matrix(kernel, patch.shape)
print(f"{found.matrix.size} weights, {found.connected} may differ from 0, {kernel.size} values")
print(ops.dense(patch.reshape(1, -1), found.matrix).reshape(found.output_size))
print(ops.conv2d(patch, kernel[:, :, None, None]))
figures.weight_matrix(patch, kernel, output=5)

# %% [markdown]
# ## What the promises save
# From a dense layer to a local one, and from there to shared weights.

# %%
for layer in net.layers:
    if layer.is_convolution:
        counts = connections(layer)
        print(f"{layer.name:>9}: {counts.dense:,} -> {counts.local:,} -> {counts.shared:,}")

# %% [markdown]
# ## Move the digit
# Two pixels down: all maps follow. Three: behind the pooling layer that would be one and a half cells.

# %%
for rows in (2, 3):
    moved = compare_shift(net, digit, rows, 0)
    for name in ("conv2d_2", "max_pooling2d", "conv2d_6"):
        maps = moved[name]
        print(f"{rows} rows: {name} should move {float(maps.moved[0])} cells, error {maps.error:.1%}")
figures.moved_maps(moved["max_pooling2d"], 3)

# %% [markdown]
# ## And the prediction
# Equivariant maps do not make a network that knows the digit anywhere.

# %%
everywhere = predictions_over_shifts(net, digit, 8)
print("still a 0 at", (everywhere.argmax(axis=2) == 0).sum(), "of", everywhere[:, :, 0].size, "places")
figures.shift_map(everywhere[:, :, 0], 3, 0, title="probability of 0")

# %% [markdown]
# ## Questions

# %%
for question in (how_far_a_map_moves(net, "conv2d_3"), weights_for_larger_images(net["conv2d"])):
    print(question.with_answer())
