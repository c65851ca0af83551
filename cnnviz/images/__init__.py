"""Images that go into a network: MNIST, files that a user hands in, and what makes a digit of a picture."""
