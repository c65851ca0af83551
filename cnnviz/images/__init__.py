"""Images that go into a network: MNIST, files that a user hands in, and how a picture becomes a digit."""
