"""What is said and asked about a network: questions whose answers the engine computes."""
