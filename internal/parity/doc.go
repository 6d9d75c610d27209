// Package parity holds the tests that every engine of source.kind passes: the
// same rows in files and in tables give the same integers, and so the same
// bytes, all the way. Its tests need databases, which make targets set up; a
// test skips where the address of its database is not given.
package parity
