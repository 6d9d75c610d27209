package metric

// Subset returns the rows keep of s, in that order, in slices of its own.
func (s Sample) Subset(keep []int) Sample {
	return Sample{
		Score: pick(s.Score, keep), Prob: pick(s.Prob, keep), Label: pick(s.Label, keep),
		Group: pick(s.Group, keep), User: pick(s.User, keep),
	}
}

// pick returns the elements keep of v; nil if v is.
func pick[T any](v []T, keep []int) []T {
	if v == nil {
		return nil
	}
	out := make([]T, len(keep))
	for k, i := range keep {
		out[k] = v[i]
	}
	return out
}
