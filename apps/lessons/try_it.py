# %% [markdown]
# # Try it
# The network was trained on digits that had all been prepared alike: scaled into 20x20 pixels, and placed
# in 28x28 by their centre of mass. Your own digit is prepared likewise, once its ink is told from its paper;
# its strokes are made as thick as theirs where they are not.

# %%
import numpy as np

import cnnviz
from cnnviz import figures
from cnnviz.images.digit_preparation import prepare_in_steps
from cnnviz.network.mistakes import SURE, likeliest, mistakes
from cnnviz.teaching.questions.try_it import how_sure_it_was, what_makes_no_difference

net = cnnviz.load_model("mnist_14k")

# %% [markdown]
# ## A picture
# A dark seven on light paper, far from its middle. A file is read by
# `cnnviz.images.image_files.read_image("seven.jpg")`.

# %%
paper = np.full((240, 320), 230, np.uint8)
for way in np.linspace(0, 1, 200):
    row, column = round(40 + 90 * way), round(280 - 45 * way)
    paper[34:46, round(200 + 80 * way) - 4 : round(200 + 80 * way) + 4] = 40
    paper[row - 6 : row + 6, column - 6 : column + 6] = 40

# %% [markdown]
# ## Its preparation, step by step

# %%
steps = prepare_in_steps(paper)
print(f"darker than its paper: {steps.inverted}")
print(f"ink in rows and columns {steps.box}, {steps.scaled.shape} when scaled")
print("strokes {:.1f} pixels wide, made {:.1f}".format(*steps.stroke))
print("centre of mass at row {:.2f}, column {:.2f}".format(*steps.centre))
figures.preparation_steps(steps)

# %% [markdown]
# ## What the network says
# The two likeliest classes. Below `SURE` it counts as unsure.

# %%
run = net.run(steps.digit)
for digit, share in likeliest(run.output):
    print(f"{digit} with {share:.2%}")
print("sure" if run.output.max() >= SURE else "unsure")
figures.probabilities(run.output)

# %% [markdown]
# ## What it gets wrong
# Of the first 1,500 test digits. Some of its mistakes look like mistakes of the writer.

# %%
_, (images, labels) = cnnviz.load_mnist()
found = mistakes(net, images[:1500], labels[:1500])
for mistake in found:
    print(figures.case_in_words(mistake), "It was sure." if mistake.sure else "")
figures.hard_cases(found, images)

# %% [markdown]
# ## Before you go on

# %%
for question in (what_makes_no_difference(steps.digit), how_sure_it_was(found, 1500)):
    print(question.with_answer())
