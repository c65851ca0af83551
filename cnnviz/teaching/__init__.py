"""What is said and asked about a network: lessons, questions, walks, exercises and their keys, the
glossary."""
