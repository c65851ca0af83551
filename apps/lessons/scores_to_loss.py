# %% [markdown]
# # From scores to loss
# The network's last sums are scores, the logits. Softmax makes probabilities of them, the cross-entropy
# one number, and its gradient says for every pixel which way that number would fall.

# %%
import cnnviz
from cnnviz import figures
from cnnviz.concepts.scores_to_loss import loss_of, softmax_steps, step_against
from cnnviz.teaching.questions.scores_to_loss import halved_probability, shifted_logits

images, labels = cnnviz.load_mnist()[1]
net = cnnviz.load_model("mnist_14k")
loss = loss_of(net.run(images[18]), int(labels[18]))
print("logits", loss.logits.round(2))

# %% [markdown]
# ## Scores become probabilities
# Over the temperature, exponential, over the sum. The order never changes.

# %%
for temperature in (0.5, 1.0, 5.0):
    steps = softmax_steps(loss.logits, temperature)
    print(f"temperature {temperature}: largest {steps.probabilities.max():.4f}, sum of e^ {steps.total:.3f}")
figures.probabilities(softmax_steps(loss.logits, 5.0).probabilities, label=loss.target)

# %% [markdown]
# ## Probabilities become one number
# Minus the logarithm of the target's probability. Guessing one of ten costs log 10.

# %%
print(f"p = {loss.probability:.4f}, loss {loss.value:.4f} nats; guessing costs {loss.of_guessing:.4f}")
figures.cross_entropy_curve(loss.probability)

# %% [markdown]
# ## What training would send back
# At the logits the gradient is p - y: the probabilities, less 1 at the target. It adds up to 0.

# %%
print("p - y", loss.wrt_logits.round(4), f"sum {loss.wrt_logits.sum():.0e}")

# %% [markdown]
# ## Which pixels it points at
# The same gradient, sent on down to the image, with the network's second choice as the target.

# %%
second = int(loss.logits.argsort()[-2])
other = loss_of(loss.run, second)
for size in (0.01, 0.1, 0.2):
    step = step_against(other, size)
    print(
        f"pixels move by {size} at most: loss for {second} from {other.value:.3f} to {step.after.value:.3f}, "
        f"{step.straight:.3f} expected; the network now says {step.after.predicted}"
    )
figures.pixel_gradient(other.image[:, :, 0], other.wrt_pixels[:, :, 0], after=step.after.image[:, :, 0])

# %% [markdown]
# ## Questions

# %%
for question in (shifted_logits(loss.logits, loss.target), halved_probability(loss.probability)):
    print(question.with_answer())
