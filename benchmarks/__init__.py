"""bpetok next to the other trainers and encoders of the package index; see README.md."""
