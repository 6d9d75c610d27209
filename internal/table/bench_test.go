package table

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"churn/pipeline"
)

func BenchmarkReadCSV(b *testing.B) {
	for _, rows := range []int{1e3, 1e5, 1e6} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "x.csv")
			var text []byte
			for i := range rows {
				text = fmt.Appendf(text, "%d,%d,2025-01-01T10:00:00,video_watch,course,%d.25,,\n", i, i%977, i%60)
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				r, err := Open(path)
				if err != nil {
					b.Fatal(err)
				}
				for {
					block, err := r.ReadBlock()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					for rec := block.Scan(); rec.Next(); {
						if rec.Len() != 8 {
							b.Fatal(rec.Len())
						}
					}
					block.Release()
				}
				r.Close()
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	schema := Schema{{"user_id", Text}, {"as_of_date", Date}, {"n", Int}, {"x", Float}, {"y", Float}}
	for _, format := range []Format{CSV, Parquet} {
		b.Run(string(format), func(b *testing.B) {
			const rows = 100_000
			for b.Loop() {
				w, err := Create(filepath.Join(b.TempDir(), "x."+string(format)), format, schema)
				if err != nil {
					b.Fatal(err)
				}
				batch := w.NewBatch()
				for i := range rows {
					batch.Text("u1")
					batch.Date(pipeline.Date(20000 + i%100))
					batch.Int(int64(i))
					batch.Float(math.Sqrt(float64(i)))
					batch.Float(float64(i % 30))
					batch.EndRow()
				}
				if err := w.Append(batch); err != nil {
					b.Fatal(err)
				}
				if _, err := w.Commit(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
