package promote

import (
	"fmt"
	"testing"
)

// BenchmarkJudge measures a decision with the default resamples, in rows/s.
func BenchmarkJudge(b *testing.B) {
	for _, users := range []int{500, 20_000} {
		rows := world(users, 10, 1)
		in := match(b, rows, truth(), weights{0.7, 0.5, 0.1, 0})
		b.Run(fmt.Sprint(rows.Len()), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Judge(in, Defaults()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows.Len())*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
