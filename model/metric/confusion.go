package metric

// Confusion counts decisions against labels. Its rates are NaN where nothing
// defines them.
type Confusion struct {
	TruePositives  int `json:"true_positives"`
	FalsePositives int `json:"false_positives"`
	FalseNegatives int `json:"false_negatives"`
	TrueNegatives  int `json:"true_negatives"`
}

// ConfusionAt decides positive from the threshold on: value ≥ threshold. It
// panics if the lengths differ.
func ConfusionAt(value []float64, label []bool, threshold float64) (c Confusion) {
	if len(value) != len(label) {
		panic("metric: values and labels differ in length")
	}
	for i, v := range value {
		switch decided := v >= threshold; {
		case decided && label[i]:
			c.TruePositives++
		case decided:
			c.FalsePositives++
		case label[i]:
			c.FalseNegatives++
		default:
			c.TrueNegatives++
		}
	}
	return c
}

// Precision returns the share of positives among the decided positive.
func (c Confusion) Precision() float64 {
	return share(c.TruePositives, c.FalsePositives)
}

// Recall returns the share of the positives that are decided positive.
func (c Confusion) Recall() float64 { return share(c.TruePositives, c.FalseNegatives) }

// Specificity returns the share of the negatives that are decided negative.
func (c Confusion) Specificity() float64 { return share(c.TrueNegatives, c.FalsePositives) }

// F1 returns the harmonic mean of precision and recall.
func (c Confusion) F1() float64 { return share(2*c.TruePositives, c.FalsePositives+c.FalseNegatives) }

// share returns a/(a+b).
func share(a, b int) float64 { return ratio(float64(a), float64(a+b)) }
