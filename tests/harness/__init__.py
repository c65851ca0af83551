"""What the tests share: generated cases, TensorFlow as the authority, the accuracy table."""
