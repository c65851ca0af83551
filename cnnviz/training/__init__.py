"""Training: the NumPy trainer and Keras's, recipes, histories, what the network said after every epoch."""

from cnnviz.training.data import SPLIT_SEED, VALIDATION_IMAGES, read_data, split
from cnnviz.training.keras_training import build
from cnnviz.training.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    LossFunction,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
from cnnviz.training.optimizers import SGD, Adam, AdamW, Optimizer
from cnnviz.training.recipes import OWN_RECIPE, RECIPES, Augmentation, Recipe, affine_matrices
from cnnviz.training.run_files import RunFiles
from cnnviz.training.runs import ENGINES, train
from cnnviz.training.trainer import LossNotFinite, Trainer
from cnnviz.training.training_step import TrainingStep
