# %% [markdown]
# # Batch norm and dropout
# Both do one thing in training and another afterwards: batch norm goes from the batch's own mean and
# variance to moving averages, dropout from random zeros to nothing at all.

# %%
import numpy as np

import cnnviz
from cnnviz import figures
from cnnviz.concepts.batch_normalization import compare_forms, fold, normalization_over
from cnnviz.concepts.dropout import drop_in_steps, dropout_layers, run_with_dropout
from cnnviz.teaching.questions.batch_norm_and_dropout import louder_input, without_scaling

images = cnnviz.load_mnist()[1][0]
net = cnnviz.load_model("mnist_14k")
run = net.run(images[8])

# %% [markdown]
# ## Before and after
# Numbers come in with any mean and spread, and go out near mean beta and deviation gamma.

# %%
found = normalization_over(net, "batch_normalization_3", images[:250])
gamma, beta = found.layer.weights["gamma"], found.layer.weights["beta"]
print("mean before", found.before.mean.round(2), "\nmean after", found.after.mean.round(2))
print("beta", beta.round(2))
figures.channel_spreads(
    (found.before.mean, found.before.deviation),
    (found.after.mean, found.after.deviation),
    moving=(found.moving.mean, found.moving.deviation),
    wanted=(beta, gamma),
)

# %% [markdown]
# ## In training, and now
# In training an image's numbers depend on its company. How far the two forms are apart depends on which
# images those are; with many of them it settles, but not at 0.

# %%
for forms in compare_forms(net, "batch_normalization_3", images[8:72], [1, 4, 16, 64]):
    print(f"{forms.images:>3} images: the two forms differ by {forms.distance:.3f} (root mean square)")

# %% [markdown]
# ## Folded away
# Afterwards it is a fixed scale and shift, which the next convolution can take over.

# %%
folding = fold(net, "batch_normalization_3")
saved = net.count_params()[0] - folding.network.count_params()[0]
print(f"into {folding.into}: {saved} numbers fewer, difference {folding.largest_difference(run):.1e}")

# %% [markdown]
# ## Dropout at work, and why nothing is dropped now
# What is kept is divided by 1 - rate, so the mean over many steps stays what it was.

# %%
rate = dropout_layers(net)["dropout_3"]
values = run.inputs("dropout_3")[0]
for steps in (10, 100, 1000):
    mean = drop_in_steps(values, rate, steps, layer="dropout_3")
    print(f"{steps:>4} steps: {mean.distance:.4f} from the values, {mean.expected:.4f} to be expected")
for step in range(3):
    print(f"step {step}: probability of 5 is {run_with_dropout(net, images[8], step=step).output[0, 5]:.4f}")
print(f"now: {run.output[0, 5]:.4f}; passed on: {np.array_equal(run['dropout_3'], values)}")

# %% [markdown]
# ## Questions

# %%
batch = net.run(images[8:16]).inputs("batch_normalization_3")[0]
for question in (
    louder_input(net["batch_normalization_3"], batch, row=4, col=4, channel=3),
    without_scaling("dropout_3", rate),
):
    print(question.with_answer())
