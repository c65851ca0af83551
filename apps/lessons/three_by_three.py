# %% [markdown]
# # 3×3
# Two 3×3 layers, one on the other, see 5×5 cells, three see 7×7: with fewer weights than one large kernel,
# and with an activation after each.

# %%
import cnnviz
from cnnviz import channels, figures, kernels
from cnnviz.receptive_fields import Conv, receptive_field
from cnnviz.teaching.questions.three_by_three import how_far_a_stack_sees, saving_with_more_channels

net = cnnviz.load_model("mnist_14k")

# %% [markdown]
# ## What a stack sees, and what it costs
# On the widths of this network's layers: 16 channels, maps of 26 × 26 cells.

# %%
for depth in range(1, 5):
    seen = list(receptive_field([Conv(3)] * depth).values())[-1].label
    found = channels.stack_of_3x3(depth, 16, 26)
    print(
        f"{depth} of 3×3 see {seen}×{seen}: {found.other.parameters:,} parameters; "
        f"one kernel {found.direct.parameters:,}, {found.saving[0]:.2f} times as many"
    )
figures.stacked_fields(3)

# %% [markdown]
# ## The middle counts more
# On how many paths each pixel reaches the unit on top: through one large kernel it is one for all.

# %%
print(kernels.stack_paths(3))

# %% [markdown]
# ## What the first layer's kernels respond to
# For each the part of the first 1,000 test digits that it answers to most, and the wave it lets through.

# %%
weights = net["conv2d"].weights["kernel"]
patches = kernels.exciting_patches(weights, cnnviz.load_mnist()[1][0][:1000])
for patch in patches:
    peak = kernels.frequency_response(weights[:, :, 0, patch.kernel]).peak
    wave = "one brightness" if peak.angle is None else f"{peak.angle:.0f}°, {peak.frequency:.2f} a pixel"
    print(
        f"kernel {patch.kernel:2}: digit {patch.image}, {patch.response:.2f} of {patch.possible:.2f}; {wave}"
    )
figures.kernel_portraits(weights[:, :, 0], patches)

# %% [markdown]
# ## Questions

# %%
for question in (how_far_a_stack_sees(3), saving_with_more_channels(3, 16)):
    print(question.with_answer())
