"""What each Keras layer class is."""
