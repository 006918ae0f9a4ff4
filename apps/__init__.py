"""The apps that ship."""
