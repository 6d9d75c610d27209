package lms

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// logOf writes a tracking log of so many lines by a hundredth as many learners:
// page views, and a viewing of a minute after each.
func logOf(b *testing.B, lines int) (path string, size int64) {
	b.Helper()
	const form = `{"username":"u%d","event_type":"%s","event_source":"browser","name":"%s","session":"5f1c","host":"lms.example.org","agent":"Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0","ip":"192.0.2.1","page":"https://lms.example.org/courses/course-v1:X+A+1/courseware/","time":"%s","context":{"user_id":%d,"org_id":"X","course_id":"course-v1:X+A+1","path":"/event","received_at":"%s"},"event":"{\"id\":\"v1\",\"code\":\"html5\",\"currentTime\":%d,\"duration\":600}"}` + "\n"
	var text strings.Builder
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range lines {
		user, name := i*7%max(lines/100, 1), []string{"page_close", "play_video", "pause_video"}[i%3]
		at := start.Add(time.Duration(i/3) * time.Minute).Format(time.RFC3339)
		fmt.Fprintf(&text, form, user, name, name, at, user, at, i%600)
	}
	path = filepath.Join(b.TempDir(), "tracking.log")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return path, int64(text.Len())
}

func BenchmarkOpenEdX(b *testing.B) {
	for _, lines := range []int{1e3, 1e5} {
		b.Run(fmt.Sprint(lines), func(b *testing.B) {
			path, size := logOf(b, lines)
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := importFiles(b, Job{Preset: OpenEdX, Paths: []string{path}}, Defaults()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
