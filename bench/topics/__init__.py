"""A topic a file; the file's name is what `bench NAME` takes."""
