package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"churn/pipeline"
)

// BenchmarkExtract measures features a second of one core, for histories of
// growing length.
func BenchmarkExtract(b *testing.B) {
	for _, days := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("active-days=%d", days), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			v := pipeline.NewVocabulary(pipeline.EventTypes(), pipeline.EventTypes())
			var events []pipeline.Event
			for range 3 * days {
				day := pipeline.Date(rng.IntN(2 * days))
				events = append(events, pipeline.Event{Day: day, Known: day, Type: uint8(rng.IntN(7)), Course: uint32(rng.IntN(9)), Minutes: rng.Float64(), Score: 50, Amount: math.NaN()})
			}
			t := pipeline.NewTimeline(pipeline.User{}, events, v)
			span := pipeline.NewSpan(pipeline.Date(2*days), map[pipeline.Date]pipeline.Date{0: 0})
			p := Defaults()
			index := NewIndex(Catalog(p))
			e, vector := NewExtractor(p, index), index.NewVector()
			b.ReportAllocs()
			for b.Loop() {
				h, _ := t.Cut(pipeline.Date(2*days), &span)
				e.Extract(&h, vector)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "snapshots/s")
		})
	}
}
