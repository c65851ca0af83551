# %% [markdown]
# # Epochs
# An epoch is one pass over the training set. It is cut into batches, and after each batch all weights
# change a little: one step. Here are the numbers of the run that trained `mnist_14k`.

# %%
import numpy as np

import cnnviz
from cnnviz import figures
from cnnviz.teaching.questions.epochs import forgotten, weight_changes
from cnnviz.training.epoch_predictions import read_predictions
from cnnviz.training.history import read_history, read_selection

history = read_history("mnist_14k")
images, labels = cnnviz.load_mnist()[1]
net = cnnviz.load_model("mnist_14k")

# %% [markdown]
# ## Batch, step, epoch
# The number of batches is rounded up: the last one is smaller, and is a step all the same.

# %%
print(
    f"{history.images:,} / {history.batch_size} = {history.batches}: {history.steps_per_epoch} steps an epoch"
)
print(f"the last of {history.last_batch} images; {history.epochs} epochs are {history.steps:,} steps")
for size in (1, 1000):
    print(f"in batches of {size:,}: {history.with_batch_size(size).steps_per_epoch:,} steps an epoch")
figures.epoch_batches(history.images, history.batch_size)

# %% [markdown]
# ## Through the run
# The loss falls fast, then slowly; the learning rate falls to almost nothing.

# %%
found = read_predictions("mnist_14k")
for epoch in (1, 2, 7, 20, history.epochs):
    row = history.rows[epoch - 1]
    print(
        f"epoch {epoch:>2}: learning rate {row['learning_rate']:.6f}, training loss {row['loss']:.4f}, "
        f"test accuracy {found.accuracies['test'][epoch]:.2%}, gap {found.gap(epoch):+.2%}"
    )
figures.training_curves({"loss": {"training": history.series("loss")}}, epoch=7, scales={"loss": "log"})

# %% [markdown]
# ## The network as it was
# The same digit, with the weights after an epoch. Before training it is a guess.

# %%
for epoch in (0, 1, 7, history.epochs):
    probabilities = net.with_weights(history.weights_after(epoch)).predict(images[18])[0]
    said, share = probabilities.argmax(), probabilities.max()
    print(f"after epoch {epoch:>2}: {said} with {share:.2%}, label {labels[18]}")
epochs = history.around(7)
kernels = np.stack([history.weights_after(epoch)["conv2d/kernel"][:, :, 0] for epoch in epochs])
figures.kernels_over_epochs(kernels, epochs, highlight=7)

# %% [markdown]
# ## Digits that flip
# Accuracy is a balance: while many digits become right, others become wrong.

# %%
for flip in found.flips(7)[:5]:
    print(f"test digit {flip.index}, label {flip.label}: {flip.before} -> {flip.after}")
gained, lost = found.turns()[6]
print(f"epoch 7: {gained} became right, {lost} became wrong")

# %% [markdown]
# ## Questions

# %%
selection = read_selection("mnist_14k")
for question in (weight_changes(selection.images, selection.batch_size, 7), forgotten(found, 7)):
    print(question.with_answer())
