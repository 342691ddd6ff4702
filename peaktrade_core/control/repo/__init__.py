"""The repository that this program is kept in, as an operator looks at it: branches, what is ready, merges. It only reads."""
