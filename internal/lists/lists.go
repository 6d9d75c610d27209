// Package lists writes lists as readers of JSON expect them.
package lists

// Filled returns a list that JSON writes as [] where there is nothing in it: a
// null is no list, and breaks whoever goes through it.
func Filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
