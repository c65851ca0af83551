# %% [markdown]
# # Verification
# Every number here comes from an engine written in NumPy. TensorFlow reads the same file by itself, and
# every layer is compared; a third evaluation, in float64, says which of the two is off by how much.

# %%
import cnnviz
from cnnviz import figures
from cnnviz.teaching.questions.verification import rounded_weights, who_is_right
from cnnviz.verification.comparison import read_record

images = cnnviz.load_mnist()[1][0]
record = read_record()["mnist_14k"]
print(f"recorded on {record.date}: {record.identical:,} of {record.images:,} predictions the same")
print(f"largest difference of an output {record.predict_difference:.1e}; passed: {record.passed}")

# %% [markdown]
# ## Every layer
# Rounding is passed on, and is as large as the numbers it is in: where batch norm makes them smaller, it
# makes the differences smaller too. The errors of both engines go together.

# %%
rows = [row for row in record.layers if row.difference]
for row in rows[-4:]:
    print(
        f"{row.name}: apart {row.difference:.1e}, NumPy {row.numpy_error:.1e} and TensorFlow "
        f"{row.tensorflow_error:.1e} from float64"
    )
figures.magnitudes(
    [(row.name, (row.difference, row.numpy_error, row.tensorflow_error)) for row in rows],
    ["NumPy − TensorFlow", "NumPy − float64", "TensorFlow − float64"],
)

# %% [markdown]
# ## Each layer alone
# On exactly the same input only one layer rounds, and the bound follows from the length of its sums.

# %%
worst = max(record.layers, key=lambda row: row.share)
print(f"nearest to its bound: {worst.name}, {worst.alone:.1e}, {worst.share:.0%} of what is allowed")

# %% [markdown]
# ## Run it again
# This needs TensorFlow: `pip install "cnnviz[tensorflow]"`.

# %%
try:
    result = cnnviz.verify("mnist_14k", images[:5])
    print(f"{result.images} images now: apart {result.predict_difference:.1e}, passed: {result.passed}")
except ModuleNotFoundError as error:
    print(error)

# %% [markdown]
# ## Questions

# %%
net = cnnviz.load_model("mnist_14k")
deepest = max(rows, key=lambda row: row.difference)
for question in (rounded_weights(net, images[:1000]), who_is_right(deepest)):
    print(question.with_answer())
