package metric

// SingleFeatureAUC returns the ROC-AUC of the best ranking by one raw feature
// alone: high or low values first, and missing ones (NaN), as one block, before or
// after all others. It is at least ½ with two classes, NaN with one: a leak alarm,
// not an estimate, since it is the best of four.
func SingleFeatureAUC(values []float64, label []bool) float64 {
	falling := make([]float64, len(values)) // NaN ranks last here too: only the others turn
	for i, v := range values {
		falling[i] = -v
	}
	a, b := ROCAUC(values, label), ROCAUC(falling, label)
	return max(a, 1-a, b, 1-b)
}
