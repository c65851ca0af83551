"""Training: recipes, Keras's training, histories, and what the network said after every epoch."""

from cnnviz.training.data import SPLIT_SEED, VALIDATION_IMAGES, read_data, split
from cnnviz.training.keras_training import build, train
from cnnviz.training.recipes import RECIPES, Augmentation, Recipe, affine_matrices
from cnnviz.training.run_files import RunFiles
