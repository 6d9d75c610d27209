package calibrate

import (
	"fmt"
	"testing"
)

func BenchmarkFit(b *testing.B) {
	for _, n := range []int{1e3, 1e5, 1e6} {
		margin, label, user := draw(n, 1, bent)
		for name, fit := range map[string]func(){
			"platt":    func() { _, _ = FitPlatt(margin, label, nil) },
			"isotonic": func() { _, _ = FitIsotonic(margin, label, nil) },
			"choose":   func() { _, _, _ = Choose(margin, label, user, Defaults()) },
		} {
			b.Run(fmt.Sprint(name, "/", n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					fit()
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

func BenchmarkProbability(b *testing.B) {
	margin, label, _ := draw(1e5, 1, bent)
	for _, fit := range []func([]float64, []bool, []float64) (Map, error){FitPlatt, FitIsotonic} {
		m, err := fit(margin, label, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(m.Kind, func(b *testing.B) {
			var sum float64
			for b.Loop() {
				for _, x := range margin {
					sum += m.Probability(x)
				}
			}
			b.ReportMetric(float64(len(margin))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
