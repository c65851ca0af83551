# %% [markdown]
# # Activation functions
# One fixed curve, applied to every number of a layer by itself. It has nothing to learn, and it is
# what makes a stack of layers more than one layer.

# %%
import cnnviz
from cnnviz import figures
from cnnviz.concepts.activation_exchange import exchange, function_named, hidden_activations
from cnnviz.concepts.affine_collapse import collapse
from cnnviz.concepts.dead_channels import sparsity_over
from cnnviz.network.evaluation import evaluate
from cnnviz.teaching.questions.activation_functions import applied_twice, one_convolution

images, labels = cnnviz.load_mnist()[1]
net = cnnviz.load_model("mnist_14k")
print(net, {name: str(function) for name, function in hidden_activations(net).items()})

# %% [markdown]
# ## The curve, and what goes through it
# ReLU keeps what is positive and makes the rest zero. What enters it is `pre_activation`.

# %%
run = net.run(images[8])
before = run.pre_activation("conv2d")
relu = function_named("relu")
print(f"{(before < 0).mean():.1%} below 0, {(relu(before) == 0).mean():.1%} exactly 0 afterwards")
figures.activation_curve(relu, before, name="relu")

# %% [markdown]
# ## Zeros, and dead channels
# A channel that is zero on one digit may speak on another. Only one that is zero for all is dead.

# %%
for name, found in sparsity_over(net, images[:250], hidden_activations(net)).items():
    print(f"{name}: {found.share:.1%} zeros; silent on all 250 digits: {found.silent or 'none'}")

# %% [markdown]
# ## Exchanged, not trained again
# The weights were learned for one curve; with another one every layer gets numbers it was not made for.

# %%
for name in ("relu", "leaky_relu", "tanh", "linear"):
    found = evaluate(exchange(net, name), images[:500], labels[:500])
    print(f"{name:>10}: {found.accuracy:.1%} of {found.images} digits right")

# %% [markdown]
# ## Why there must be one at all
# Leave out the activations and let the pooling average: the layers become one map, logits = A x + b.

# %%
affine = collapse(net)
print(f"A is {affine.matrix.shape}, A and b are {affine.numbers:,} numbers")
print(f"largest difference from the layers: {affine.largest_difference(images[:100]):.1e}")
print(f"accuracy, with weights that were learned for ReLU: {affine.accuracy(images, labels):.2%}")
figures.feature_maps(affine.pictures, columns=5, title="A")

# %% [markdown]
# ## Questions

# %%
for question in (applied_twice("conv2d", relu, before), one_convolution(net, "conv2d_2")):
    print(question.with_answer())
