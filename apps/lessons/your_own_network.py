# %% [markdown]
# # Your own network
# Four classes of shapes, made in code. Red discs and blue discs have one form, and in grey they are equally
# bright: only colour tells them apart. Squares and triangles have one colour: only form tells them apart.

# %%
import tempfile
from pathlib import Path

import numpy as np

import cnnviz
from cnnviz import Layer, Network
from cnnviz.concepts.colour_shapes import CLASSES, colour_shapes, in_grey
from cnnviz.network.opened_network import OpenedNetwork
from cnnviz.teaching.questions.overview import products_of_the_score
from cnnviz.training import Adam, Trainer

(x, y), (images, labels) = colour_shapes(800, seed=0), colour_shapes(200, seed=1)
print(f"{len(x)} pictures to train on, {len(images)} held out: {', '.join(CLASSES)}")

# %% [markdown]
# ## Train it
# Two convolutions, the largest number of each map, a score for each class. No TensorFlow is needed.


# %%
def trained(pictures: np.ndarray) -> Network:
    layers = [Layer.from_config("image", "InputLayer", {"batch_shape": (None, *pictures.shape[1:])})]
    for kind, name, config in (
        ("Conv2D", "edges", {"filters": 8, "kernel_size": 3, "activation": "relu"}),
        ("MaxPooling2D", "pool", {}),
        ("Conv2D", "parts", {"filters": 16, "kernel_size": 3, "activation": "relu"}),
        ("GlobalMaxPooling2D", "anywhere", {}),
        ("Dense", "classes", {"units": len(CLASSES), "activation": "softmax"}),
    ):
        layers.append(Layer.from_config(name, kind, config, inputs=(layers[-1].name,)))
    trainer = Trainer(Network(layers, seed=0, name="shapes"), optimizer=Adam(0.01), seed=0)
    trainer.fit(pictures, y, epochs=12, batch_size=32)
    return trainer.network


net, grey = trained(x), trained(in_grey(x))
for said, model, pictures in (("in colour", net, images), ("in grey", grey, in_grey(images))):
    print(
        f"{said}, {(model.predict(pictures).argmax(axis=1) == labels).mean():.0%} of those held out are right"
    )

# %% [markdown]
# ## Open it, as anybody's file
# It is read, never executed, and computed in a process of its own, as `cnnviz explore shapes.keras` does.

# %%
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "shapes.keras"
net.save(path)
with OpenedNetwork(path) as opened:
    opened.show(opened.made, {"classes": CLASSES})
    run = opened.run(images[0])
    print(f"{opened.name} says {opened.said_of(run)}; it is a {CLASSES[labels[0]]}")

# %% [markdown]
# ## Stage, receipt, receptive field, TensorFlow's opinion, and a question

# %%
cnnviz.view(net, images[0], classes=CLASSES).save(Path(folder.name) / "shapes.html")
print(cnnviz.explain(run, "classes", channel=int(labels[0])))
rows, cols = cnnviz.receptive_field(net)["parts"].size
print(f"a number of parts sees {rows} x {cols} pixels")
try:
    result = cnnviz.verify(cnnviz.load_model(path), images[:5])
    print(f"NumPy and TensorFlow: {result.predict_difference:.1e} apart, passed: {result.passed}")
except ModuleNotFoundError as error:
    print(error)
folder.cleanup()
print(products_of_the_score(run).with_answer())
