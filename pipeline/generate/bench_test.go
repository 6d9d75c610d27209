package generate

import (
	"fmt"
	"testing"

	"churn/internal/table"
)

// BenchmarkRun measures the whole stage, files included.
func BenchmarkRun(b *testing.B) {
	for _, format := range []table.Format{table.CSV, table.Parquet} {
		for _, users := range []int{1e3, 2e4, 1e5} {
			b.Run(fmt.Sprintf("%s/users=%d", format, users), func(b *testing.B) {
				p := Defaults()
				p.Users, p.Days, p.Format = users, 120, format
				b.ReportAllocs()
				events := int64(0)
				for b.Loop() {
					r, err := Run(b.Context(), p, b.TempDir(), nil)
					if err != nil {
						b.Fatal(err)
					}
					events += r.Events
				}
				b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

// BenchmarkLiveDay measures the simulation alone.
func BenchmarkLiveDay(b *testing.B) {
	p := Defaults()
	p.Users, p.Days = 1e5, maxDays/10
	s := newSimulation(b.Context(), newWorld(p))
	for range 300 { // past most sign-ups of the first year
		s.liveDay()
	}
	events := 0
	b.ResetTimer()
	for b.Loop() {
		_, day := s.liveDay()
		events += len(day)
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkOutlook measures the truth of one user at one date.
func BenchmarkOutlook(b *testing.B) {
	p := Defaults()
	s := newSimulation(b.Context(), newWorld(p))
	d, _ := s.liveDay()
	n := s.signups.joined(d.date)
	for i := 0; b.Loop(); i++ {
		s.truthOf(&s.learners[i%n], d)
	}
}
