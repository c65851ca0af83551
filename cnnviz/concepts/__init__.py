"""What single lessons compute: one module a concept."""
