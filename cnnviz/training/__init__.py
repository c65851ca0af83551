"""Training: recipes, Keras's training, histories, and what the network said after every epoch."""
