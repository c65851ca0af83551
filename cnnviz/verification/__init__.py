"""NumPy against TensorFlow: every layer compared, and how fast each of the two is."""
