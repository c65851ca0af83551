# %% [markdown]
# # Receptive field
# The part of the image that can change a unit. It grows with every layer whose cells look at more than
# one cell, and faster behind a stride or a pooling layer.

# %%
import cnnviz
from cnnviz import figures
from cnnviz.receptive_fields import Conv, Pool, check_field
from cnnviz.receptive_fields.recurrence import recurrence
from cnnviz.teaching.questions.receptive_field import one_more_layer, shared_pixels

net = cnnviz.load_model("mnist_14k")
images = cnnviz.load_mnist()[1][0]
fields = cnnviz.receptive_field(net)

# %% [markdown]
# ## One unit, down to the pixels
# Row 5, column 5 of `conv2d_3`: which pixels, that no other pixel changes it, and that these do.

# %%
(top, bottom), (left, right) = fields["conv2d_3"].box(5, 5)
print(f"rows {top} to {bottom}, columns {left} to {right}: {fields['conv2d_3'].label} pixels across")
run = net.run(images[18])
path = figures.path_to(run, "conv2d_3", 5, 5)
print(figures.left_out(path))
figures.receptive_path(path)

# %%
changed = images[18].copy()
changed[:top], changed[bottom + 1 :], changed[:, :left], changed[:, right + 1 :] = 255, 255, 255, 255
same = net.run(changed)["conv2d_3"][0, 5, 5] == run["conv2d_3"][0, 5, 5]
print(f"all other pixels made ink: {same.sum()} of {same.size} channels keep their number")
check = check_field(net, images[18], "conv2d_3", 5, 5)
print(f"the same inverted and with noise: {check.unchanged} of {len(check.values)}, before the ReLU too")
print(f"one pixel inside at a time: {check.matters.sum()} of {check.inside} change it")
smaller = fields["conv2d_3"].mask(5, 5)
smaller[bottom] = False
refuted = check_field(net, images[18], "conv2d_3", 5, 5, mask=smaller)
print(
    f"a field without its last row is refuted: {refuted.unchanged} of {len(refuted.values)} keep their number"
)
figures.field_trials(check)

# %% [markdown]
# ## What counts inside the box
# The gradient of the unit, pixel by pixel: the middle counts most, since most paths lead there.

# %%
effective = cnnviz.effective_receptive_field(net, "conv2d_3", images[:20], row=5, col=5)
print("spread in pixels:", [round(sigma, 2) for sigma in effective.sigma])
for share, pixels in effective.shares.items():
    print(f"{share:.0%} of it in {pixels:.0%} of the {effective.box_area} pixels")
figures.effective_field(effective.map, box=effective.box)

# %% [markdown]
# ## How it grows
# By the kernel's size less one, times the step between cells; a stride multiplies the step.

# %%
for step in recurrence(fields):
    r, k, j = step.before.size[1], step.local.size[1], step.before.stride[1]
    print(f"{step.layer:>16}: {r} + ({k} - 1) * {j} = {step.after.size[1]}")
stack = [Conv(3, padding="same"), Pool(2), Conv(3, padding="same", dilation_rate=2)]
print(cnnviz.receptive_field(stack, (224, 224)))

# %% [markdown]
# ## Questions

# %%
for question in (one_more_layer(fields["conv2d_3"]), shared_pixels(fields["conv2d_3"])):
    print(question.with_answer())
