"""What other tools keep, read without them: runs and models as their files and databases have them."""
