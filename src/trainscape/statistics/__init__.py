"""What numbers over seeds allow to say: pure functions on arrays, by numpy and scipy alone.

Rows are cells, columns seeds. Every function here is described, with its source and the test that
checks it, in docs/method.md. Nothing is read or written here, and nothing is put into words.
"""
