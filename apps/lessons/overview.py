# %% [markdown]
# # Overview
# A convolutional network turns an image into a decision in small steps. Every number on the way was
# computed from others, and can be followed down to the pixels.

# %%
import cnnviz
from cnnviz import figures
from cnnviz.teaching.questions.overview import numbers_for_one_digit, products_of_the_score

net = cnnviz.load_model("mnist_14k")
_, (images, labels) = cnnviz.load_mnist()
run = net.run(images[0])
print(f"the label says {labels[0]}, the network {run.output.argmax()} with {run.output.max():.4%}")

# %% [markdown]
# ## Every step

# %%
for name, values in run.items():
    print(f"{name:24} {values.shape!s:18} {values.min():9.3f} to {values.max():9.3f}")
rows = figures.layers_of(run)
figures.network_maps(rows)

# %% [markdown]
# ## From the prediction down to the pixels
# The receipt of the score behind the prediction, and then of the factor that adds most to it, and then
# of the factor that adds most to that, until the image is reached.

# %%
best = int(run.output.argmax())
receipt = cnnviz.explain(run, "conv2d_7", row=0, col=0, channel=best)
print(
    f"{receipt.terms.product.size} products and a bias: {receipt.total:.4f}; the run has {receipt.value:.4f}"
)
print(receipt.trace())

# %% [markdown]
# In a notebook the next line shows the network itself: point at any cell, click it for its receipt.

# %%
view = cnnviz.view(net, images[0])
print(view)

# %% [markdown]
# ## Before you go on

# %%
for question in (products_of_the_score(run), numbers_for_one_digit(net, rows)):
    print(question.with_answer())
